"""An ActivityRunner by itself, over a store in memory."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.contract import VersionedRow
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.messages import FinishTask, Message, RunActivity
from durable_ext.records.payloads import inline
from durable_ext.records.progress import Report
from durable_ext.worker.activities.claims import Claim, Claims
from durable_ext.worker.activities.progress import Reports
from durable_ext.worker.activities.runner import ActivityRunner
from durable_ext.worker.client import utc_now
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.settings import WorkerSettings

PATIENCE = 30.0


async def row_is_there(instance_id: str) -> VersionedRow:
    """The row of an instance that runs."""
    now = utc_now()
    row = InstanceRow(
        execution=Execution(instance_id=instance_id, execution_id="e"),
        name="order",
        status=RuntimeStatus.RUNNING,
        created_at=now,
        updated_at=now,
    )
    return VersionedRow(row, "")


class Noting(SqliteProvider):
    """Notes what is asked of it for progress, and refuses that on request."""

    def __init__(self) -> None:
        super().__init__(":memory:")
        self.written: list[Report] = []
        self.deleted: list[str] = []
        self.read = 0
        self.refuses = False

    async def write_progress(self, report: Report) -> None:
        self._check()
        self.written.append(report)
        await super().write_progress(report)

    async def progress(self, instance_id: str) -> Sequence[Report]:
        self._check()
        self.read += 1
        return await super().progress(instance_id)

    async def delete_progress(self, instance_id: str, work_item: str) -> None:
        self._check()
        self.deleted.append(work_item)
        await super().delete_progress(instance_id, work_item)

    def _check(self) -> None:
        if self.refuses:
            raise StorageUnavailableError("no storage today")


class Running:
    """Runs activities by name; `claimed` are the work items of all claims, with the claimant."""

    def __init__(self, registry: Registry, store: Noting, claim: Claim | None, settings: WorkerSettings) -> None:
        self.store = store
        self.claimed: list[tuple[str, str]] = []
        self._claim = claim or store.claim
        names, payloads = itertools.count(), PayloadStore(store, registry.converter)
        self.runner = ActivityRunner(
            registry,
            payloads,
            settings,
            Claims(self._noted, row_is_there, lambda: f"p-{next(names)}"),
            Reports(store, payloads, registry.converter, utc_now, Mishaps()),
        )

    async def _noted(self, instance_id: str, work_item: str, claimant: str) -> bool:
        self.claimed.append((work_item, claimant))
        return await self._claim(instance_id, work_item, claimant)

    async def run(self, name: str, value: Any = None, *, item: str = "e-0-1", attempt: int = 1) -> FinishTask:
        body = RunActivity(task_id=0, name=name, input=inline(msgspec.json.encode(value)))
        message = Message(id=item, instance_id="order-1", execution_id="e", body=body, sent_at=utc_now())
        return await self.runner.run(message, body, attempt)


@asynccontextmanager
async def running(
    registry: Registry, *, claim: Claim | None = None, slots: int = 4, processes: int = 2
) -> AsyncGenerator[Running, None]:
    store = Noting()
    await store.create_hub()
    settings = WorkerSettings(activity_slots=slots, activity_processes=processes)
    found = Running(registry, store, claim, settings)
    try:
        yield found
    finally:
        found.runner.close()
        await store.close()


def registry_of(
    function: Callable[..., Any],
    *,
    at_most_once: bool = False,
    after_fault: Callable[..., Any] | None = None,
    seconds: float | None = None,
) -> Registry:
    """An app with the activity under the name `do`."""
    registry = Registry()
    limit = None if seconds is None else timedelta(seconds=seconds)
    registry.add_activity(function, "do", at_most_once=at_most_once, after_fault=after_fault, time_limit=limit)
    return registry


def value_of(outcome: FinishTask) -> Any:
    assert outcome.failure is None, outcome.failure
    assert outcome.result is not None
    return msgspec.json.decode(outcome.result.data)


def failure_of(outcome: FinishTask) -> Failure:
    assert outcome.failure is not None, outcome
    return outcome.failure


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():  # noqa: ASYNC110 - what is waited for says nothing
            await asyncio.sleep(0)


async def pass_time(seconds: float) -> None:
    """Let time pass, virtual where a test has it."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()
