"""A worker that drains gives back what it has not run: it is no failure of the activity (S5)."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

from durable_ext.authoring.registry import Registry
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.messages import Delivery, FinishTask, Message, RunActivity
from durable_ext.records.payloads import inline
from durable_ext.worker.client import utc_now
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker


def _work_item(number: int) -> Delivery:
    body = RunActivity(task_id=number, name="wait", input=inline(b"null"))
    message = Message(id=f"m{number}", instance_id="it", execution_id="e", body=body, sent_at=utc_now())
    return Delivery(queue="workitems", id=str(number), receipt="r", dequeue_count=1, messages=(message,))


def test_waiting_thread_activities_are_given_back() -> None:
    async def main() -> None:
        release = threading.Event()
        started = threading.Event()

        def wait() -> None:
            started.set()
            release.wait(10)

        registry = Registry()
        registry.add_activity(wait)
        store = SqliteProvider(":memory:")
        await store.create_hub()
        worker = Worker(store, store, registry, settings=WorkerSettings(activity_slots=1))
        running, waiting = (asyncio.create_task(worker.process(_work_item(number))) for number in range(2))
        await asyncio.to_thread(started.wait, 10)
        await worker.drain(timedelta(0))
        release.set()
        await running
        with pytest.raises(asyncio.CancelledError):
            await waiting
        received = [
            await store.receive_control(partition, limit=10, lease=timedelta(seconds=5), wait=timedelta(0))
            for partition in range(store.partitions)
        ]
        (answer,) = [delivery.messages[0].body for deliveries in received for delivery in deliveries]
        assert answer == FinishTask(task_id=0, result=inline(b"null"))
        await store.close()

    asyncio.run(main())
