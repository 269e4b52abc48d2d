"""Reading instances, and waiting for what becomes of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from contextlib import aclosing, contextmanager
from datetime import timedelta
from typing import Any

import msgspec

from durable_ext.authoring.activity_progress import ActivityProgress
from durable_ext.authoring.payload import decode
from durable_ext.authoring.status import InstanceStatus
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.progress import ATTEMPT_NOTED, Report
from durable_ext.records.turns import Turn
from durable_ext.worker.client.core import ClientCore
from durable_ext.worker.client.row_watch import RowWatch

_PAGE = 100


class ReadingClient(ClientCore):
    """Reads instances."""

    async def get(
        self, instance_id: str, *, with_input: bool = True, with_progress: bool = False
    ) -> InstanceStatus | None:
        """The instance with its payloads loaded, or None; without its input when the caller does not want it.

        `with_progress`: with what its running activities said last by `heartbeat`, which is one read more.
        """
        stored = await self._row(instance_id)
        if stored is None:
            return None
        status = await self.status_of(stored.row, with_input=with_input)
        if not with_progress or status.runtime_status.is_terminal:
            return status
        return InstanceStatus(status.row, self.converter, await self.activity_progress(instance_id))

    async def row(self, instance_id: str) -> InstanceRow | None:
        """The instance as it is stored, or None: long payloads are named, with their sizes, and not loaded."""
        stored = await self._row(instance_id)
        return None if stored is None else stored.row

    async def status_of(self, row: InstanceRow, *, with_input: bool = True) -> InstanceStatus:
        """A row with its payloads loaded; without its input when the caller does not want it."""
        loaded = msgspec.structs.replace(
            row,
            input=await self._payloads.get(row.input) if row.input is not None and with_input else None,
            output=None if row.output is None else await self._payloads.get(row.output),
            custom_status=None if row.custom_status is None else await self._payloads.get(row.custom_status),
            failure=None if row.failure is None else self.load_failure(row.failure),
        )
        return InstanceStatus(loaded, self.converter)

    async def list(
        self,
        where: InstanceFilter = InstanceFilter(entities=False),  # noqa: B008 - frozen
        *,
        with_input: bool = True,
    ) -> AsyncIterator[InstanceStatus]:
        """Every matching instance, page by page, ordered by id; by default of orchestrations only."""
        continuation: str | None = None
        while True:
            page = await self.catalog.query(where, limit=_PAGE, continuation=continuation)
            for row in page.rows:
                yield await self.status_of(row, with_input=with_input)
            continuation = page.continuation
            if continuation is None:
                return

    async def history(self, instance_id: str, execution_id: str | None = None) -> Sequence[Turn]:
        """The turns of the current, or of the named, execution."""
        return await self.catalog.history(instance_id, execution_id)

    async def activity_progress(self, instance_id: str) -> Sequence[ActivityProgress]:
        """What the running activities of an instance said last by `heartbeat`, by task id; some seconds old.

        An activity that has said nothing, or has ended, is not there. Empty for an unknown id.
        """
        return [
            ActivityProgress(
                name=report.name,
                task_id=report.task_id,
                time=report.time,
                progress=decode(self.converter, report.value, Any),
            )
            for report in await self.progress_reports(instance_id)
        ]

    async def progress_reports(self, instance_id: str) -> Sequence[Report]:
        """As activity_progress, with the values as JSON payloads in place."""
        reports = await self._provider.progress(instance_id)
        return [
            msgspec.structs.replace(report, value=await self._payloads.get(report.value))
            for report in sorted(reports, key=lambda report: report.task_id)
            if report.task_id != ATTEMPT_NOTED
        ]

    async def wait_for_completion(self, instance_id: str, timeout: timedelta) -> InstanceStatus:  # noqa: ASYNC109
        """The instance once it has ended. Raises TimeoutError, and InstanceNotFoundError for an unknown id."""
        return await self.wait_until(instance_id, lambda row: row.status.is_terminal, timeout)

    async def wait_for_start(self, instance_id: str, timeout: timedelta) -> InstanceStatus:  # noqa: ASYNC109
        """The instance once its code has begun. Raises as wait_for_completion."""
        return await self.wait_until(instance_id, lambda row: row.status is not RuntimeStatus.PENDING, timeout)

    async def wait_for_custom_status(
        self,
        instance_id: str,
        ready: Callable[[Any], bool],
        timeout: timedelta,  # noqa: ASYNC109
    ) -> InstanceStatus:
        """The instance once `ready` holds for its custom status, a JSON value that is None while unset, or once it has
        ended. Raises as wait_for_completion."""
        status: InstanceStatus | None = None
        async with asyncio.timeout(timeout.total_seconds()):
            async with aclosing(self.changes(instance_id)) as found:
                async for status in found:
                    if ready(status.custom_status):
                        break
        return status if status is not None else await self.status_of((await self._existing(instance_id)).row)

    async def changes(self, instance_id: str) -> AsyncGenerator[InstanceStatus]:
        """The instance now, and again whenever its row has changed, until it has ended.

        Changes that follow one another quickly may come as one. Raises InstanceNotFoundError, also when it is purged.
        """
        seen: InstanceRow | None = None
        with self._watching(instance_id) as watch:
            while seen is None or not seen.status.is_terminal:
                known = seen

                def is_news(row: InstanceRow, known: InstanceRow | None = known) -> bool:
                    return row != known

                seen = await watch.next_row(is_news)
                yield await self.status_of(seen)

    async def wait_until(
        self,
        instance_id: str,
        ready: Callable[[InstanceRow], bool],
        timeout: timedelta,  # noqa: ASYNC109
    ) -> InstanceStatus:
        """The instance once `ready` holds for its row. Raises TimeoutError and InstanceNotFoundError."""
        async with asyncio.timeout(timeout.total_seconds()):
            with self._watching(instance_id) as watch:
                row = await watch.next_row(ready)
            return await self.status_of(row)

    @contextmanager
    def _watching(self, instance_id: str) -> Generator[RowWatch]:
        async def read() -> InstanceRow:
            return (await self._existing(instance_id)).row

        with self._signals.watch(instance_id) as watch:
            yield RowWatch(watch, read, self._signals.followed_for(instance_id, self.now))
