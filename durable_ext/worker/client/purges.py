"""Deleting ended instances, and their families (P10)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import TypeVar

import msgspec

from durable_ext.errors import InstanceStateError, InvalidInputError
from durable_ext.providers.contract import Catalog, InstanceFilter, VersionedRow
from durable_ext.records.events import ChildScheduled
from durable_ext.records.instance import TERMINAL, InstanceRow
from durable_ext.records.turns import placed
from durable_ext.worker.client.forcing import Forced, ForcingClient
from durable_ext.worker.lineage import children_by_row, kept_executions, previous_of

logger = logging.getLogger("durable_ext.client")

Item = TypeVar("Item")
ReadRow = Callable[[str], Awaitable[VersionedRow | None]]
_PAGE = 100
# Purges under way. What one has in memory are the keys of its instance's turns, a hundred bytes or two each.
_AT_ONCE = 16


class PurgingClient(ForcingClient):
    """Deletes ended instances."""

    async def purge(self, instance_id: str, *, recursive: bool = False, force: bool = False) -> bool:
        """Delete an ended instance with its history and payloads (P10); False when there is none.

        `recursive`: the children of all its executions as well, the deepest first; those that have not ended and
        detached ones stay. Where executions were pruned, storage looks through all rows for their children. `force`: in
        whatever state it is, as purge_by_force. Raises InstanceStateError when it has not ended.
        """
        if force:
            return await self.purge_by_force(instance_id, recursive=recursive) is not None
        stored = await self._row(instance_id)
        if stored is None:
            return False
        if not stored.row.status.is_terminal:
            raise InstanceStateError(
                f"instance {instance_id!r} is {stored.row.status.value}; terminate it before purging it, "
                "or purge it by force"
            )
        if recursive:
            await _Families(self.catalog, self._provider.read_row).purge(stored.row)
        else:
            await self.catalog.purge(stored.row, etag=stored.etag)
        return True

    async def purge_by_force(self, instance_id: str, *, recursive: bool = False) -> Forced | None:
        """Delete an instance in whatever state: running, stuck, damaged, not begun. What was done; None: there is none.

        One that has not ended is terminated first, here, with nothing of its code: its parent and its children hear of
        it as of any termination. No worker has to run. `recursive`: its children by force as well, the deepest first.
        """
        stored = await self._row(instance_id)
        if stored is None:
            return None
        row, forced = await self._end_now(stored.row)
        if row is None:
            return forced
        if recursive:
            # By their rows: its history may be what cannot be read.
            for child in [child async for child in children_by_row(self.catalog, row.instance_id)]:
                await self.purge_by_force(child.instance_id, recursive=True)
        await self.catalog.purge(row)
        logger.warning(
            "instance %s is purged by force: it was %s%s; told: %s",
            *(
                instance_id,
                forced.was.value,
                f", its history could not be read ({forced.damage})" * bool(forced.damage),
            ),
            ", ".join(forced.told) or "nobody",
        )
        return forced

    async def purge_older_than(
        self,
        age: timedelta,
        where: InstanceFilter = InstanceFilter(),  # noqa: B008 - frozen
        *,
        recursive: bool = False,
    ) -> int:
        """Purge every instance that matches and ended longer ago than `age`; how many.

        `recursive` as purge_matching has it.
        """
        older = msgspec.structs.replace(where, completed_to=self._clock() - age)
        return await self.purge_matching(older, recursive=recursive)

    async def purge_matching(self, where: InstanceFilter, *, recursive: bool = False) -> int:
        """Purge every ended instance that matches; how many. Others are left alone, whatever the filter says (P10).

        Several are purged at once; the first failure ends them all, and what is left can be purged again.
        `recursive`: their ended children as well, as `purge` has it; those are not counted unless they match themselves
        and are still there when their page is read.
        """
        where = ended_only(where)
        purge = _Families(self.catalog, self._provider.read_row).purge if recursive else self.catalog.purge
        purged = 0
        continuation: str | None = None
        while True:
            page = await self.catalog.query(where, limit=_PAGE, continuation=continuation)
            await _each(page.rows, purge)
            purged += len(page.rows)
            continuation = page.continuation
            if continuation is None:
                return purged


class _Families:
    """Instances with their children. A gate bounds what is under way, however wide and deep a family is."""

    def __init__(self, catalog: Catalog, read_row: ReadRow) -> None:
        self._catalog = catalog
        self._read_row = read_row
        self._gate = asyncio.Semaphore(_AT_ONCE)
        self._seen: set[str] = set()  # an id may be its own grandchild's, started anew

    async def purge(self, row: InstanceRow) -> None:
        """Purge the ended children, the deepest first, then the instance itself: a crash leaves who names them."""
        self._seen.add(row.instance_id)
        async with self._gate:
            children = await self._children(row)
        await _each(children, lambda instance_id: self._purge_child(row, instance_id))
        async with self._gate:
            await self._catalog.purge(row)

    async def _children(self, row: InstanceRow) -> list[str]:
        """The ids of the children that any of its executions has waited for."""
        found: dict[str, None] = {}
        previous: str | None = None
        async for turns in kept_executions(self._catalog, row):
            previous = previous_of(turns)
            events = [event for turn in turns for _, event in placed(turn)]
            started = [event for event in events if isinstance(event, ChildScheduled) and not event.detached]
            found |= dict.fromkeys(event.instance_id for event in started)
        if previous is not None:
            found |= dict.fromkeys(await self._children_by_row(row))
        return list(found)

    async def _children_by_row(self, row: InstanceRow) -> list[str]:
        """The same where history is pruned: nothing but their own rows names them any more."""
        return [child.instance_id async for child in children_by_row(self._catalog, row.instance_id, TERMINAL)]

    async def _purge_child(self, parent: InstanceRow, instance_id: str) -> None:
        async with self._gate:
            stored = await self._read_row(instance_id)
        if stored is None or instance_id in self._seen:
            return
        whose = stored.row.parent
        if stored.row.status.is_terminal and whose is not None and whose.instance_id == parent.instance_id:
            await self.purge(stored.row)


async def _each(items: Sequence[Item], purge: Callable[[Item], Awaitable[None]]) -> None:
    """Purge these, several at once. The first failure is raised and stops the rest."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await purge(item)

    tasks = [asyncio.create_task(work()) for _ in range(min(_AT_ONCE, len(items)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()


def ended_only(where: InstanceFilter) -> InstanceFilter:
    """The part of a filter that can be purged. Raises InvalidInputError when it names other statuses alone (P10)."""
    wanted = where.statuses & TERMINAL if where.statuses else TERMINAL
    if not wanted:
        raise InvalidInputError("only ended instances can be purged: Completed, Failed, Terminated, Canceled")
    return msgspec.structs.replace(where, statuses=wanted)
