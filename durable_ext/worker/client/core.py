"""What the rooms of the client share: where it speaks to, and how a command is sent."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Protocol, cast

from durable_ext.authoring.names import ByName, Naming
from durable_ext.authoring.payload import Converter, JsonConverter
from durable_ext.errors import InstanceNotFoundError, InstanceStateError, InvalidInputError
from durable_ext.providers.contract import Catalog, Clock, Provider, VersionedRow
from durable_ext.records.failures import Failure
from durable_ext.records.messages import Body, Delivery, Message
from durable_ext.records.payloads import Payload
from durable_ext.records.trace import TraceContext
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.signals import Signals
from durable_ext.worker.telemetry import SILENCE, Telemetry


def utc_now() -> datetime:
    """Aware UTC now."""
    return datetime.now(UTC)


class LocalDelivery(Protocol):
    """Whoever processes deliveries in this very process, if anybody does."""

    @property
    def lease(self) -> timedelta:
        """How long a reserved message is hidden at first."""
        ...

    def has_room(self) -> bool:
        """Whether one more message may be dealt with here."""
        ...

    def adopt(self, delivery: Delivery) -> None:
        """Process a delivery that was reserved here, as one received (S4)."""
        ...


class ClientCore:
    """Talks to one task hub. What every room of the client needs."""

    def __init__(
        self,
        provider: Provider,
        catalog: Catalog,
        *,
        converter: Converter | None = None,
        clock: Clock = utc_now,
        signals: Signals | None = None,
    ) -> None:
        self._provider = provider
        self.catalog = catalog
        self.converter: Converter = converter or JsonConverter()
        self._clock = clock
        self._signals = signals or Signals()
        self._payloads = PayloadStore(provider, self.converter)
        self.check_orchestrator: Callable[[str], None] = _is_any
        self.check_entity: Callable[[str], None] = _is_any
        self.naming: Naming = ByName()
        self.local: LocalDelivery | None = None
        self.is_at_work: Callable[[str], bool] = _is_nowhere
        self.telemetry: Telemetry = SILENCE

    @property
    def now(self) -> datetime:
        """The time by the client's clock, aware UTC."""
        return self._clock()

    async def load_payload(self, payload: Payload) -> Payload:
        """A payload of a row or an event, inline. Raises StorageError when its blob is gone."""
        return await self._payloads.get(payload)

    def load_failure(self, failure: Failure) -> Failure:
        """A failure of a row or an event, as code gets it. Raises PayloadError when it cannot be decrypted."""
        return self._payloads.seal.open_failure(failure)

    async def _row(self, instance_id: str) -> VersionedRow | None:
        """The row of an instance; None when there is none. Raises InvalidInputError for an id that is no text."""
        if not isinstance(cast("object", instance_id), str):
            kind = type(cast("object", instance_id)).__qualname__
            raise InvalidInputError(f"an instance id is a text, not of type {kind}; starting an instance is awaited")
        return await self._provider.read_row(instance_id)

    async def _existing(self, instance_id: str) -> VersionedRow:
        stored = await self._row(instance_id)
        if stored is None:
            raise unknown(instance_id)
        return stored

    async def _check_running(self, instance_id: str) -> None:
        """Raise InstanceNotFoundError, or InstanceStateError when the instance has ended.

        Storage is asked unless the instance is at work in this process. One that another process ended this very moment
        then drops the command, and says so in the log, as it does when it ends before the command comes.
        """
        if self.is_at_work(instance_id):
            return
        row = (await self._existing(instance_id)).row
        if row.status.is_terminal:
            raise InstanceStateError(f"instance {instance_id!r} has ended: it is {row.status.value}")

    async def _command(
        self, instance_id: str, body: Body, message_id: str | None = None, trace: TraceContext | None = None
    ) -> None:
        message = Message(
            id=message_id or uuid.uuid4().hex,
            instance_id=instance_id,
            body=body,
            sent_at=self._clock(),
            # A caller's own id may be a repeat: have the receiver look it up (P7).
            resent=message_id is not None,
            trace=trace,
        )
        await self._deliver(message)

    async def _deliver(self, message: Message) -> None:
        """Have this process deal with a message that is for now, if it has room (S4); else put it into its queue."""
        if self.local is None or message.due is not None or not self.local.has_room():
            await self._provider.send([message])
            return
        # Put already received: nobody polls for it, and if this process dies it comes back after its lease.
        self.local.adopt(await self._provider.reserve(message, self.local.lease))
        self._signals.follow(message.instance_id, self.now)


def _is_nowhere(_instance_id: str) -> bool:
    """What a client knows of the work of this process when it belongs to no worker."""
    return False


def _is_any(_name: str) -> None:
    """What a client says of a name when it knows no app."""


def unknown(instance_id: str) -> InstanceNotFoundError:
    """The error for an id that no instance has."""
    return InstanceNotFoundError(f"no instance has the id {instance_id!r}")
