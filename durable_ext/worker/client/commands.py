"""Commands to an instance: messages that take part in its next turn."""

from __future__ import annotations

from typing import Any

from durable_ext.authoring.payload import encode
from durable_ext.records.given import check_reason
from durable_ext.records.ids import check_name
from durable_ext.records.messages import RaiseEvent, Resume, Suspend, Terminate
from durable_ext.worker.client.core import ClientCore
from durable_ext.worker.telemetry import Sending


class CommandingClient(ClientCore):
    """Sends commands."""

    async def raise_event(
        self,
        instance_id: str,
        name: str,
        data: Any = None,
        *,
        message_id: str | None = None,
    ) -> None:
        """Raise an external event. Two events with one `message_id` (an idempotency key) are one event (P7).

        Raises InstanceNotFoundError, InstanceStateError when the instance has ended, and InvalidInputError for an empty
        name or id and for one longer than 256 characters.
        """
        check_name("event name", name)
        if message_id is not None:
            check_name("message id", message_id)
        await self._check_running(instance_id)
        payload = await self._payloads.put(instance_id, encode(self.converter, data))
        with self.telemetry.sending(Sending.EVENT, name, instance_id) as trace:
            await self._command(instance_id, RaiseEvent(name=name, input=payload), message_id, trace)

    async def terminate(
        self, instance_id: str, reason: str = "", *, recursive: bool = True, output: Any = None
    ) -> None:
        """End an instance, and its running children too. `output` is what its status shows; by default the reason.

        Nothing of its code runs, and its history need not be readable. One that has not begun ends at once, an entity
        loses its state. Children have the reason only. Raises as raise_event, and PayloadError for an output that is
        not data.
        """
        why = check_reason(reason)
        await self._check_running(instance_id)
        shown = None if output is None else encode(self.converter, output)
        stored = None if shown is None else await self._payloads.put(instance_id, shown)
        await self._command(instance_id, Terminate(reason=why, recursive=recursive, output=stored))

    async def suspend(self, instance_id: str, reason: str = "") -> None:
        """Keep what happens to the instance from its code until it is resumed. Raises as raise_event."""
        await self._check_running(instance_id)
        await self._command(instance_id, Suspend(reason=check_reason(reason)))

    async def resume(self, instance_id: str, reason: str = "") -> None:
        """Undo suspend. Raises as raise_event."""
        await self._check_running(instance_id)
        await self._command(instance_id, Resume(reason=check_reason(reason)))
