"""Those outside: they start instances, raise events and give commands, and try again when they get no answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta

from durable_ext.errors import (
    DurableError,
    InstanceExistsError,
    InstanceNotFoundError,
    InstanceStateError,
    StorageError,
)
from durable_ext.providers.contract import Clock
from durable_ext.records.events import EventRaised
from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing.simulation.case import Order, Planned
from durable_ext.testing.simulation.ledger import Runs
from durable_ext.testing.simulation.programme import pause
from durable_ext.testing.simulation.storage import Reach, rows_of
from durable_ext.worker.client import Client, StartOptions

_PATIENCE = 200
_LONGEST_GAP = 6 * 3600.0
_LATE = 600.0
_NEVER: frozenset[str] = frozenset()


class Outside:
    """Carries out the orders of one instance. `client` is an outside caller's, `inside()` that of some process."""

    def __init__(self, client: Client, inside: Callable[[], Client], peek: Reach, clock: Clock, runs: Runs) -> None:
        self._client = client
        self._inside = inside
        self._peek = peek.provider
        self._catalog = peek.catalog
        self._clock = clock
        self._runs = runs
        self.started: set[str] = set()
        self.purged: dict[str, float] = {}
        self.again: set[str] = set()
        self.given_up: list[str] = []

    async def attend(self, planned: Planned) -> None:
        """All that is ordered for an instance, in the order of time."""
        await pause(planned.at)
        while planned.after and planned.after not in self.started:
            await pause(1)
        await self._start(planned)
        rewinding = asyncio.create_task(self._rewind(planned))
        await self._carry_out_all(planned)
        await rewinding

    async def _carry_out_all(self, planned: Planned) -> None:
        begun = planned.at
        raised: dict[object, None] = {}
        for number, order in enumerate(planned.orders):
            await pause(max(0.0, order.at - begun))
            begun = max(begun, order.at)
            if order.after_last and raised:
                await self._recorded(planned.id, len(raised))
            await self._carry_out(planned, order, number)
            if order.kind == "event":
                raised[order.value] = None

    async def _rewind(self, planned: Planned) -> None:
        """Each time it has failed, something is mended, and it is told to go on from before that."""
        for name in planned.rewinds:
            failed = await self._failed(planned.id)
            self._runs.mended.add(name)
            if failed:
                await self._rewind_from(planned, failed, name)

    async def _failed(self, instance_id: str) -> str:
        """The execution that has failed, once it has; none when the instance ends otherwise."""
        gap = 5.0
        for _ in range(_PATIENCE):
            stored = await self._peek.read_row(instance_id)
            if stored is None or stored.row.status.is_terminal:
                break
            if gap > _LATE:
                await self.resume_all()
            await pause(gap)
            gap = min(gap * 1.3, _LONGEST_GAP)
        else:
            return ""
        failed = stored is not None and stored.row.status is RuntimeStatus.FAILED
        return stored.row.execution.execution_id if stored is not None and failed else ""

    async def resume_all(self) -> None:
        """A suspension may have come after the resumption, and others may wait for what it holds."""
        for row in await rows_of(self._catalog):
            if row.status is RuntimeStatus.SUSPENDED:
                with suppress(DurableError):  # the next look tries again
                    await self._client.resume(row.instance_id)

    async def _rewind_from(self, planned: Planned, failed: str, reason: str) -> None:
        for _ in range(_PATIENCE):
            client = self._inside() if planned.through else self._client
            with suppress(InstanceNotFoundError, InstanceStateError, StorageError):
                await client.rewind(planned.id, reason)
            stored = await self._peek.read_row(planned.id)
            if stored is None or stored.row.execution.execution_id != failed:
                return
            await pause(3)
        self.given_up.append(f"rewind {planned.id}")

    async def _start(self, planned: Planned, *, again: bool = False) -> None:
        options = StartOptions() if again else StartOptions(replace=frozenset())
        if planned.start_in and not again:
            options = StartOptions(start_at=self._clock() + timedelta(seconds=planned.start_in), replace=frozenset())
        name = "loop" if planned.programme["kind"] == "loop" else "programme"
        for _ in range(_PATIENCE):
            client = self._inside() if planned.through else self._client
            try:
                await client.start(name, planned.programme, instance_id=planned.id, options=options)
            except InstanceExistsError:
                break
            except StorageError:
                await pause(2)
            else:
                break
        else:
            self.given_up.append(f"start {planned.id}")
        self.started.add(planned.id)

    async def _carry_out(self, planned: Planned, order: Order, number: int) -> None:
        for _ in range(_PATIENCE):
            try:
                if await self._try(planned, order, number):
                    return
            except InstanceNotFoundError:
                if planned.id in self.purged:
                    return
            except InstanceStateError:
                if order.kind != "purge":
                    return
            except StorageError:
                pass
            await pause(3)
        if order.kind != "purge":
            self.given_up.append(f"{order.kind} {planned.id}")

    async def _try(self, planned: Planned, order: Order, number: int) -> bool:
        client, instance_id = self._client, planned.id
        match order.kind:
            case "event":
                key = f"{instance_id}/{str(order.value)[:40]}"
                await client.raise_event(instance_id, order.name, order.value, message_id=key)
            case "terminate":
                await client.terminate(instance_id, "ordered", recursive=order.recursive)
            case "suspend":
                await client.suspend(instance_id, f"order {number}")
            case "resume":
                await client.resume(instance_id, f"order {number}")
            case "again":
                self.again.add(instance_id)
                await self._start(planned, again=True)
            case "restart" | "copy":
                await self._restart(instance_id, same=order.kind == "restart")
            case "purge":
                return await self._purge(instance_id)
            case kind:
                raise LookupError(f"nobody can order {kind!r}")
        return True

    async def _restart(self, instance_id: str, *, same: bool) -> None:
        if same:
            self.again.add(instance_id)
        with suppress(InstanceExistsError):
            await self._client.restart(instance_id, new_instance_id=not same)

    async def _purge(self, instance_id: str) -> bool:
        await self._client.purge(instance_id)
        stored = await self._peek.read_row(instance_id)
        if stored is not None:
            return False
        self.purged[instance_id] = self._clock().timestamp()
        return True

    async def _recorded(self, instance_id: str, count: int) -> None:
        """Wait until so many events are in the history of the current execution, or will never be."""
        gap = 5.0
        for _ in range(_PATIENCE):
            loaded = await self._peek.load(instance_id)
            events = [event for turn in loaded.turns for event in turn.events if isinstance(event, EventRaised)]
            generation = loaded.turns[0].execution.generation if loaded.turns else 0
            if len(events) + generation >= count:
                return
            if loaded.stored is None or loaded.stored.row.status.is_terminal:
                return
            await pause(gap)
            gap = min(gap * 1.3, _LONGEST_GAP)
