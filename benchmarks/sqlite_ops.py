"""What the SQLite provider can do alone: the storage calls of a five-step orchestration, without the engine.

    python -m benchmarks.sqlite_ops [--folder FOLDER] [--instances 2000] [--in-flight 20]

For memory, and for a file with each kind of commit: instances and writes a second with callers in flight and receivers
beside them, CPU a write, and the time of one commit alone. One JSON line each.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.providers.sqlite.database import Synchronous
from durable_ext.records.events import TaskCompleted, TaskScheduled
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.messages import Message, RaiseEvent
from durable_ext.records.payloads import inline
from durable_ext.records.turns import Turn

_TURNS = 6
# create, send, the turns, two updates, receive, complete
_WRITES = 6 + _TURNS
_ALONE = 500


def _row(of: Execution, status: RuntimeStatus, turn: int) -> InstanceRow:
    now = datetime.now(UTC)
    return InstanceRow(
        execution=of, name="chain", status=status, created_at=now, updated_at=now, turn=turn, input=inline(b"1")
    )


def _turn(of: Execution, number: int) -> Turn:
    return Turn(
        execution=of,
        number=number,
        events=(
            TaskCompleted(task_id=number, result=inline(b"1")),
            TaskScheduled(id=number + 1, name="plus_one", input=inline(b"2")),
        ),
        message_ids=(f"{of.execution_id}-{number}",),
        trigger_id=f"{of.execution_id}-start",
        time=datetime.now(UTC),
        commit_id=f"{of.execution_id}-{number}",
    )


async def _instance(provider: SqliteProvider, instance_id: str) -> None:
    of = Execution(instance_id=instance_id, execution_id=f"e{instance_id}")
    etag = await provider.create_row(_row(of, RuntimeStatus.PENDING, -1))
    body = RaiseEvent(name="go", input=inline(b"1"))
    await provider.send([Message(id=instance_id, instance_id=instance_id, body=body, sent_at=datetime.now(UTC))])
    for number in range(_TURNS):
        await provider.append(_turn(of, number))
    etag = await provider.update_row(_row(of, RuntimeStatus.RUNNING, 0), etag)
    await provider.update_row(_row(of, RuntimeStatus.COMPLETED, _TURNS - 1), etag)
    assert len((await provider.load(instance_id)).turns) == _TURNS


async def _receiver(provider: SqliteProvider, partition: int, left: list[int], done: asyncio.Event) -> None:
    while True:
        found = await provider.receive_control(
            partition, limit=16, lease=timedelta(seconds=30), wait=timedelta(seconds=20)
        )
        for delivery in found:
            await provider.complete(delivery)
            left[0] -= 1
            if left[0] == 0:
                done.set()


async def _loaded(provider: SqliteProvider, instances: int, in_flight: int) -> dict[str, float]:
    left, done = [instances], asyncio.Event()
    receivers = [asyncio.create_task(_receiver(provider, n, left, done)) for n in range(provider.partitions)]

    async def caller(number: int) -> None:
        for n in range(number, instances, in_flight):
            await _instance(provider, str(n))

    wall, cpu = time.perf_counter(), time.process_time()
    await asyncio.gather(*(caller(number) for number in range(in_flight)))
    await done.wait()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    for receiver in receivers:
        receiver.cancel()
    await asyncio.gather(*receivers, return_exceptions=True)
    writes = instances * _WRITES
    return {
        "instances_per_s": round(instances / wall),
        "writes_per_s": round(writes / wall),
        "cpu_us_per_write": round(cpu / writes * 1e6, 1),
    }


async def _alone(provider: SqliteProvider) -> dict[str, float]:
    of = Execution(instance_id="alone", execution_id="alone")
    times: list[float] = []
    for number in range(_ALONE):
        turn = _turn(of, number)
        start = time.perf_counter()
        await provider.append(turn)
        times.append((time.perf_counter() - start) * 1e6)
    times.sort()
    return {"commit_p50_us": round(times[_ALONE // 2]), "commit_p99_us": round(times[_ALONE * 99 // 100])}


async def _measure(path: str | Path, synchronous: Synchronous, instances: int, in_flight: int) -> dict[str, float]:
    provider = SqliteProvider(path, synchronous=synchronous)
    await provider.create_hub()
    try:
        return await _loaded(provider, instances, in_flight) | await _alone(provider)
    finally:
        await provider.close()


def main() -> None:
    parser = argparse.ArgumentParser(description="What the SQLite provider can do alone.")
    parser.add_argument("--folder", help="where the files go; on the disk to measure")
    parser.add_argument("--instances", type=int, default=2000)
    parser.add_argument("--in-flight", type=int, default=20)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        cases: list[tuple[str, str | Path, Synchronous]] = [("memory", ":memory:", Synchronous.NORMAL)]
        cases += [(f"file {kind}", Path(folder) / f"{kind}.sqlite", kind) for kind in Synchronous]
        for name, path, synchronous in cases:
            figures = asyncio.run(_measure(path, synchronous, given.instances, given.in_flight))
            print(json.dumps({"store": name, **figures}), flush=True)


if __name__ == "__main__":
    main()
