"""Deleting ended instances (P10)."""

from __future__ import annotations

from datetime import timedelta

import msgspec

from durable_ext.errors import InstanceStateError, InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import ChildScheduled
from durable_ext.records.instance import TERMINAL, InstanceRow
from durable_ext.records.turns import placed
from durable_ext.worker.client.core import ClientCore

_PAGE = 100


class PurgingClient(ClientCore):
    """Deletes ended instances."""

    async def purge(self, instance_id: str, *, recursive: bool = False) -> bool:
        """Delete an ended instance with its history and payloads (P10); False when there is none.

        `recursive`: the children of its current execution as well, the deepest first; those that have not ended and
        detached ones stay. Raises InstanceStateError when it has not ended.
        """
        stored = await self._row(instance_id)
        if stored is None:
            return False
        if not stored.row.status.is_terminal:
            raise InstanceStateError(
                f"instance {instance_id!r} is {stored.row.status.value}; terminate it before purging it"
            )
        if recursive:
            await self._purge_children(stored.row)
        await self.catalog.purge(stored.row)
        return True

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

    async def _purge_children(self, row: InstanceRow) -> None:
        for turn in await self.catalog.history(row.instance_id):
            for _, event in placed(turn):
                if not isinstance(event, ChildScheduled) or event.detached:
                    continue
                child = await self._provider.read_row(event.instance_id)
                parent = None if child is None else child.row.parent
                if child is None or not child.row.status.is_terminal:
                    continue
                if parent is not None and parent.instance_id == row.instance_id:
                    await self.purge(event.instance_id, recursive=True)

    async def purge_matching(self, where: InstanceFilter, *, recursive: bool = False) -> int:
        """Purge every ended instance that matches; how many. Others are left alone, whatever the filter says (P10).

        `recursive`: their ended children as well, as `purge` has it; those are not counted unless they match themselves
        and come first.
        """
        where = ended_only(where)
        purged = 0
        continuation: str | None = None
        while True:
            page = await self.catalog.query(where, limit=_PAGE, continuation=continuation)
            for row in page.rows:
                if recursive:
                    await self._purge_children(row)
                await self.catalog.purge(row)
                purged += 1
            continuation = page.continuation
            if continuation is None:
                return purged


def ended_only(where: InstanceFilter) -> InstanceFilter:
    """The part of a filter that can be purged. Raises InvalidInputError when it names other statuses alone (P10)."""
    wanted = where.statuses & TERMINAL if where.statuses else TERMINAL
    if not wanted:
        raise InvalidInputError("only ended instances can be purged: Completed, Failed, Terminated, Canceled")
    return msgspec.structs.replace(where, statuses=wanted)
