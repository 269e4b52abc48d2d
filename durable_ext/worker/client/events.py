"""Waiting until an external event has come to an instance, read from history, which is the truth (P8).

An event is seen once its turn is committed. Waiting looks at the row and reads history only when that has changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from durable_ext.authoring.payload import decode
from durable_ext.errors import InstanceStateError
from durable_ext.providers.contract import Loaded
from durable_ext.records.events import ContinuedAsNew, EventRaised, ExecutionStarted
from durable_ext.records.ids import check_name
from durable_ext.records.payloads import Payload
from durable_ext.records.turns import Turn, placed
from durable_ext.worker.client.core import unknown
from durable_ext.worker.client.reads import ReadingClient

# An eternal orchestration may continue as new many times between two looks.
_FARTHEST = 50


class EventsClient(ReadingClient):
    """External events that have come."""

    async def wait_for_event(
        self,
        instance_id: str,
        name: str,
        timeout: timedelta,  # noqa: ASYNC109
        expected_type: Any = Any,
    ) -> Any:
        """The data of the first external event of this name that has come to an instance, taken by its code or not.

        The first of the execution that is current at the call, or of those that follow it: of the last fifty, where so
        many continue as new between two looks. Raises TimeoutError, InstanceNotFoundError for an unknown id,
        InstanceStateError when the instance has ended without such an event, PayloadError for data that does not fit,
        and InvalidInputError for a name that cannot be.
        """
        check_name("event name", name)
        generation: int | None = None
        async with asyncio.timeout(timeout.total_seconds()):
            with self._watching(instance_id) as watch:
                watch.looked()
                while True:
                    loaded = await self._provider.load(instance_id)
                    found = _first_of(name, await self._since(instance_id, loaded.turns, generation))
                    if found is not None:
                        return decode(self.converter, await self._payloads.get(found), expected_type)
                    seen = position_of(instance_id, loaded)
                    if is_over(loaded):
                        raise InstanceStateError(
                            f"instance {instance_id!r} has ended, and no event {name!r} has come to it"
                        )
                    generation = seen[0]
                    await watch.next_row(lambda row, seen=seen: row.position > seen or row.status.is_terminal)

    async def _since(self, instance_id: str, current: Sequence[Turn], generation: int | None) -> Sequence[Turn]:
        """The turns of all executions from a generation on, the oldest first; of the current one alone without."""
        found = first = tuple(current)
        for _ in range(_FARTHEST):
            if not first or generation is None or first[0].execution.generation <= generation:
                break
            started = first[0].events[0] if first[0].events else None
            previous = started.previous if isinstance(started, ExecutionStarted) else None
            first = () if previous is None else tuple(await self.catalog.history(instance_id, previous))
            found = first + found
        return found


def _first_of(name: str, turns: Sequence[Turn]) -> Payload | None:
    for turn in turns:
        for _, event in placed(turn):
            if isinstance(event, EventRaised) and event.name == name:
                return event.input
    return None


def position_of(instance_id: str, loaded: Loaded) -> tuple[int, int]:
    """How far the history is that was read. Raises InstanceNotFoundError when there is no instance."""
    if loaded.turns:
        last = loaded.turns[-1]
        return (last.execution.generation, last.number)
    if loaded.stored is None:
        raise unknown(instance_id)
    return loaded.stored.row.position


def is_over(loaded: Loaded) -> bool:
    """Whether the instance has ended, by its history when it has one."""
    if loaded.turns:
        last = loaded.turns[-1]
        return last.is_terminal and not isinstance(last.events[-1], ContinuedAsNew)
    return loaded.stored is not None and loaded.stored.row.status.is_terminal
