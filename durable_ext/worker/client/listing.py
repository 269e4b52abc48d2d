"""Many instances at once: pages, counts, by id, and all executions of one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping

import msgspec

from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import InvalidInputError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import ContinuedAsNew
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.replay.fold import project
from durable_ext.worker.client.reads import ReadingClient
from durable_ext.worker.lineage import kept_executions

_PAGE = 100
_AT_ONCE = 8
# An eternal orchestration has thousands of executions.
_MOST_EXECUTIONS = 1000


class StatusPage(msgspec.Struct, frozen=True):
    """Instances of one page, ordered by id. `continuation` begins the next one; None: there is none."""

    statuses: tuple[InstanceStatus, ...]
    continuation: str | None


class ListingClient(ReadingClient):
    """Reads many instances."""

    async def pages(
        self,
        where: InstanceFilter = InstanceFilter(entities=False),  # noqa: B008 - frozen
        *,
        size: int = _PAGE,
        continuation: str | None = None,
        with_input: bool = True,
    ) -> AsyncIterator[StatusPage]:
        """Every matching instance in pages of at most `size`, from the start or from where a page has ended; by default
        of orchestrations only.

        Raises InvalidInputError for a size below 1 and for a continuation that this hub did not give out.
        """
        if size < 1:
            raise InvalidInputError(f"a page of {size} instances was asked for; ask for at least 1")
        while True:
            page = await self.catalog.query(where, limit=size, continuation=continuation)
            found = [await self.status_of(row, with_input=with_input) for row in page.rows]
            continuation = page.continuation
            yield StatusPage(tuple(found), continuation)
            if continuation is None:
                return

    async def count(self, where: InstanceFilter = InstanceFilter(entities=False)) -> Mapping[RuntimeStatus, int]:  # noqa: B008
        """How many instances match, by status; statuses without any are absent. By default of orchestrations only."""
        return await self.catalog.count(where)

    async def get_many(self, instance_ids: Iterable[str], *, with_input: bool = True) -> Mapping[str, InstanceStatus]:
        """The instances of these ids that there are, by id, in the order asked for."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def get(instance_id: str) -> InstanceStatus | None:
            async with gate:
                return await self.get(instance_id, with_input=with_input)

        wanted = tuple(dict.fromkeys(instance_ids))
        found = await asyncio.gather(*[get(instance_id) for instance_id in wanted])
        return {status.instance_id: status for status in found if status is not None}

    async def executions(self, instance_id: str) -> tuple[InstanceStatus, ...]:
        """Every kept execution of an instance, the oldest first: before continue-as-new, before a rewind, before a new
        start under the id. The last one is the current one; of the others `row.execution` tells which it was.

        An execution that continued as new has that status. Empty for an unknown id.
        """
        found: list[InstanceRow] = []
        stored = await self._row(instance_id)
        if stored is None:
            return ()
        async for turns in kept_executions(self.catalog, stored.row):
            row = project(None, turns)
            if row is None or len(found) == _MOST_EXECUTIONS:
                break
            ended = turns[-1].events[-1] if turns[-1].events else None
            if isinstance(ended, ContinuedAsNew):
                row = msgspec.structs.replace(row, status=RuntimeStatus.CONTINUED_AS_NEW)
            found.append(row)
        if not found or found[0].position < stored.row.position:
            found.insert(0, stored.row)
        return tuple([await self.status_of(row) for row in reversed(found)])
