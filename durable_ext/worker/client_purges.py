"""Deleting ended instances (P10)."""

from __future__ import annotations

import msgspec

from durable_ext.errors import InstanceStateError, InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import TERMINAL
from durable_ext.worker.client_core import ClientCore

_PAGE = 100


class PurgingClient(ClientCore):
    """Deletes ended instances."""

    async def purge(self, instance_id: str) -> bool:
        """Delete an ended instance with its history and payloads (P10); False when there is none.

        Raises InstanceStateError when it has not ended.
        """
        stored = await self._provider.read_row(instance_id)
        if stored is None:
            return False
        if not stored.row.status.is_terminal:
            raise InstanceStateError(
                f"instance {instance_id!r} is {stored.row.status.value}; terminate it before purging it"
            )
        await self.catalog.purge(stored.row)
        return True

    async def purge_matching(self, where: InstanceFilter) -> int:
        """Purge every ended instance that matches; how many. Others are left alone, whatever the filter says (P10)."""
        wanted = where.statuses & TERMINAL if where.statuses else TERMINAL
        if not wanted:
            raise InvalidInputError("only ended instances can be purged: Completed, Failed, Terminated, Canceled")
        where = msgspec.structs.replace(where, statuses=wanted)
        purged = 0
        continuation: str | None = None
        while True:
            page = await self.catalog.query(where, limit=_PAGE, continuation=continuation)
            for row in page.rows:
                await self.catalog.purge(row)
                purged += 1
            continuation = page.continuation
            if continuation is None:
                return purged
