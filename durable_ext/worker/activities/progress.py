"""What activities say of their progress, on its way to storage: the newest value, every few seconds at most.

An activity that says nothing, or ends within a moment, costs no call. The report goes when its activity ends; one that
was cut off stays for the next run, which reads it before it begins.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from typing import Any

from durable_ext.authoring.payload import NULL, Converter, encode
from durable_ext.errors import PayloadError, StorageError
from durable_ext.providers.contract import Clock, Provider
from durable_ext.records.messages import Message, RunActivity
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.progress import Report
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.payload_store import PayloadStore

logger = logging.getLogger("durable_ext.activities")

# What ends sooner is never written.
_FIRST_SECONDS = 1.0
_PAUSE_SECONDS = 3.0
_MOST_BYTES = 16 * 1024


class RunProgress:
    """The progress of one run. `report` may come from any thread."""

    def __init__(self, reports: Reports, message: Message, body: RunActivity, last: Payload) -> None:
        self._reports = reports
        self._message = message
        self._body = body
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._newest = last
        self._unwritten = False
        self._is_writing = False
        self._over = False
        self._writer: asyncio.Task[None] | None = None
        self._written = last.data != NULL

    @property
    def last(self) -> bytes:
        """The newest value as JSON."""
        return self._newest.data

    def report(self, value: Any) -> None:
        """Keep a value as the newest. Raises PayloadError for what is no data, or too much of it."""
        self.report_json(encode(self._reports.converter, value).data)

    def report_json(self, data: bytes) -> None:
        """The same for a value that is JSON already."""
        if len(data) > _MOST_BYTES:
            raise PayloadError(
                f"progress of {len(data)} bytes is more than the {_MOST_BYTES} that are kept; "
                "keep what is long in storage of your own, and report where it is"
            )
        with self._lock:
            self._newest, self._unwritten = inline(data), True
            begin = not (self._is_writing or self._over)
            self._is_writing = True
        if begin:
            self._loop.call_soon_threadsafe(self._begin)

    def decode(self, kind: Any) -> Any:
        """The newest value, decoded; None when there is none."""
        data = self._newest.data
        return None if data == NULL else self._reports.converter.decode(data, kind)

    async def end(self) -> None:
        """The activity has an outcome: its report goes."""
        await self._stop()
        if self._written:
            await self._reports.remove(self._message)

    async def cut_off(self) -> None:
        """The run ends without an outcome: what it said last is for the next one."""
        await self._stop()
        if self._unwritten:
            await self._write()

    def _begin(self) -> None:
        if not self._over:
            self._writer = asyncio.create_task(self._go_on())

    async def _go_on(self) -> None:
        pause = _FIRST_SECONDS
        while True:
            await asyncio.sleep(pause)
            pause = _PAUSE_SECONDS
            with self._lock:
                if not self._unwritten:
                    self._is_writing = False
                    return
            await self._write()

    async def _write(self) -> None:
        with self._lock:
            newest, self._unwritten = self._newest, False
        self._written = True
        await self._reports.write(self._message, self._body, newest)

    async def _stop(self) -> None:
        with self._lock:
            self._over = True
        writer, self._writer = self._writer, None
        if writer is not None and not writer.done():
            writer.cancel()
            await asyncio.wait([writer])


class Reports:
    """The reports of this process's activities."""

    def __init__(
        self, provider: Provider, payloads: PayloadStore, converter: Converter, clock: Clock, mishaps: Mishaps
    ) -> None:
        self.converter = converter
        self._mishaps = mishaps
        self._provider = provider
        self._payloads = payloads
        self._clock = clock

    async def begin(self, message: Message, body: RunActivity, *, repeated: bool) -> RunProgress:
        """The progress of a run; one that is not the first begins with what was stored. Raises StorageError."""
        last = inline(NULL)
        if repeated:
            kept = await self._provider.progress(message.instance_id)
            found = next((report.value for report in kept if report.work_item == message.id), last)
            last = await self._payloads.get(found)
        return RunProgress(self, message, body, last)

    async def write(self, message: Message, body: RunActivity, value: Payload) -> None:
        """Store a report. That it cannot be stored is no reason to stop the activity."""
        try:
            report = Report(
                instance_id=message.instance_id,
                work_item=message.id,
                task_id=body.task_id,
                name=body.name,
                time=self._clock(),
                value=await self._payloads.put(message.instance_id, value),
            )
            await self._provider.write_progress(report)
        except StorageError as error:
            logger.warning("the progress of activity %s is not stored: %s", body.name, error)
        except Exception as error:  # noqa: BLE001 - as above, whatever it was
            self._mishaps.met("progress", error)

    async def remove(self, message: Message) -> None:
        """Delete the report of a work item; one that stays goes with its instance."""
        try:
            await self._provider.delete_progress(message.instance_id, message.id)
        except StorageError as error:
            logger.warning("the progress of work item %s is not deleted: %s", message.id, error)
        except Exception as error:  # noqa: BLE001 - the activity has its outcome all the same
            self._mishaps.met("progress", error)
