"""What is particular to a file: who may open it, what people read in it, and what a killed process leaves."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from durable_ext.errors import (
    ConfigurationError,
    DurableError,
    HubMismatchError,
    InvalidInputError,
    StorageError,
    TurnLostError,
)
from durable_ext.providers.contract import Clock, InstanceFilter
from durable_ext.providers.sqlite import SqliteProvider, purging
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.journal import Journal
from durable_ext.testing.conformance import Store, samples
from durable_ext.testing.virtual_time import VirtualClock, run

LEASE = timedelta(seconds=30)
DAY = timedelta(days=1)
FILE = "hub.sqlite"


@asynccontextmanager
async def _opened(
    path: str | Path, clock: Clock, *, hub: str = "Hub", partitions: int = 4
) -> AsyncGenerator[SqliteProvider]:
    provider = SqliteProvider(path, hub=hub, partitions=partitions, clock=clock)
    try:
        await provider.create_hub()
        yield provider
    finally:
        await provider.close()


@pytest.mark.parametrize(("hub", "partitions"), [("Hub", 5), ("Other", 4)])
def test_a_hub_is_opened_as_it_was_made(tmp_path: Path, hub: str, partitions: int) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock):
            pass
        async with _opened(tmp_path / FILE, clock) as provider:
            await provider.create_hub()
        with pytest.raises(HubMismatchError):
            async with _opened(tmp_path / FILE, clock, hub=hub, partitions=partitions):
                pass

    run(main)


def test_a_hub_of_another_format_is_refused(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock):
            pass
        other = sqlite3.connect(tmp_path / FILE)
        assert other.execute("UPDATE meta SET value = '99' WHERE key = 'format_version'").rowcount == 1
        other.commit()
        other.close()
        with pytest.raises(HubMismatchError, match="99"):
            async with _opened(tmp_path / FILE, clock):
                pass

    run(main)


# As the first build made it.
_FIRST_MESSAGES = """
    CREATE TABLE messages (
        number INTEGER PRIMARY KEY AUTOINCREMENT, queue TEXT NOT NULL, visible_at TEXT NOT NULL,
        receipt INTEGER NOT NULL DEFAULT 0, dequeue_count INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL);
    CREATE INDEX messages_by_visibility ON messages (queue, visible_at);
    CREATE TABLE quarantine (
        id TEXT PRIMARY KEY, queue TEXT NOT NULL, body TEXT NOT NULL, reason TEXT NOT NULL, instance_id TEXT NOT NULL,
        dequeue_count INTEGER NOT NULL, time TEXT NOT NULL) WITHOUT ROWID;
    INSERT INTO quarantine VALUES ('q', 'control-00', '{}', 'why', 'a', 5, '2030-01-01T00:00:00.000000Z')"""


def test_a_file_of_the_first_build_can_be_used(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock) as provider:
            await samples.ended(_store(provider, clock), samples.execution("a"))
            await provider.send([samples.work_item("a", 1, clock())])
        put = clock()
        other = sqlite3.connect(tmp_path / FILE)
        kept = other.execute("SELECT queue, visible_at, body FROM messages").fetchall()
        other.executescript(
            "DROP TABLE journals; DROP TABLE withdrawals; DROP TABLE claims; DROP TABLE messages; DROP TABLE quarantine"
        )
        other.executescript(_FIRST_MESSAGES)
        other.executemany("INSERT INTO messages (queue, visible_at, body) VALUES (?, ?, ?)", kept)
        other.commit()
        other.close()
        for _ in range(2):
            async with _opened(tmp_path / FILE, lambda: clock() + LEASE) as provider:
                assert len((await provider.load("a")).turns) == 3
                assert await provider.oldest_work() == put
                assert await provider.claim("a", "e1-0-0", "host-1")
                assert await provider.write_journal(Journal(process_id="host-1", time=clock(), messages=()))
                await provider.withdraw(["e1-0-1"], clock())
                assert [(one.id, one.stack) for one in await provider.list_quarantined()] == [("q", "")]
        async with _opened(tmp_path / FILE, clock) as provider:
            (delivery,) = await provider.receive_work(limit=4, lease=LEASE, wait=timedelta(0))
            await provider.complete(delivery)
            await provider.send([samples.work_item("a", 2, clock())])
            assert await provider.oldest_work() == clock()

    run(main)


def test_a_journal_that_cannot_be_read_is_empty(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock) as provider:
            for number in range(2):
                held = (samples.message("a", number, clock()),)
                await provider.write_journal(Journal(process_id=f"host-{number}", time=clock(), messages=held))
            other = sqlite3.connect(tmp_path / FILE)
            other.execute("""UPDATE journals SET messages = '{"durable": {"v": 9}}' WHERE process_id = 'host-0'""")
            other.commit()
            other.close()
            assert [len(kept.journal.messages) for kept in await provider.journals()] == [0, 1]

    run(main)


def _store(provider: SqliteProvider, clock: VirtualClock) -> Store:
    return Store(provider, provider, provider, pass_time=asyncio.sleep, clock=clock)


@pytest.mark.parametrize("partitions", [0, 17, -1])
def test_a_partition_count_that_cannot_be_is_refused(partitions: int) -> None:
    with pytest.raises(ConfigurationError):
        SqliteProvider(":memory:", partitions=partitions)


@pytest.mark.parametrize("name", [FILE, "new/folder/with ? and # and %20 ü/hub.sqlite"])
def test_a_file_is_made_with_its_folder(tmp_path: Path, name: str) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / name, clock):
            assert (tmp_path / name).is_file()

    run(main)


def test_a_file_that_is_no_database_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / FILE
    file.write_text("a letter to a friend\n" * 100)

    async def main(clock: VirtualClock) -> None:
        with pytest.raises(DurableError):
            async with _opened(file, clock):
                pass

    run(main)
    assert file.read_text() == "a letter to a friend\n" * 100


def test_a_deleted_hub_is_empty_and_can_be_made_anew(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock) as provider:
            await provider.create_row(samples.row(samples.execution("a"), clock()))
            await provider.send([samples.message("a", 1, clock())])
            await provider.delete_hub()
            await provider.delete_hub()
        async with _opened(tmp_path / FILE, clock, hub="Other", partitions=2) as provider:
            assert (await provider.query(InstanceFilter())).rows == ()
            for partition in range(2):
                assert not await provider.receive_control(partition, limit=1, lease=LEASE, wait=timedelta(0))

    run(main)


def test_deleting_a_hub_that_never_was_makes_no_file(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        provider = SqliteProvider(tmp_path / FILE, clock=clock)
        await provider.delete_hub()
        await provider.close()

    run(main)
    assert list(tmp_path.iterdir()) == []


def test_a_closed_provider_stays_closed(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        for path in (":memory:", tmp_path / FILE):
            async with _opened(path, clock) as provider:
                pass
            await provider.close()
            with pytest.raises(StorageError):
                await provider.read_row("a")
            with pytest.raises(StorageError):
                await provider.send([samples.message("a", 1, clock())])

    run(main)


def test_a_file_is_readable_with_plain_sql(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock) as provider:
            of = samples.execution("order-1")
            await provider.create_row(samples.row(of, clock(), status=RuntimeStatus.RUNNING))
            await provider.append(samples.turn(of, 0, clock()))
            await provider.send([samples.message("order-1", 1, clock())])

    run(main)
    db = sqlite3.connect(tmp_path / FILE)
    assert db.execute("SELECT instance_id, status, created_at FROM instances").fetchall() == [
        ("order-1", "Running", "2030-01-01T00:00:00.000000Z")
    ]
    assert db.execute("SELECT json_extract(record, '$.name') FROM instances").fetchone() == ("Order",)
    events = db.execute("SELECT typeof(events), json_extract(events, '$[0].type') FROM history").fetchone()
    assert events == ("text", "ExecutionStarted")
    (body,) = db.execute("SELECT body FROM messages").fetchone()
    assert json.loads(body)["durable"]["items"][0]["instanceId"] == "order-1"
    assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    db.close()


def test_a_page_of_no_rows_is_refused() -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            with pytest.raises(InvalidInputError):
                await provider.query(InstanceFilter(), limit=0)

    run(main)


@pytest.mark.parametrize("last", ["a\U0010ffff", "a\ud7ff"])
def test_a_prefix_that_ends_with_the_last_of_its_kind(last: str) -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            for instance_id in (last, last + "x", "a", "ab", "b", "z", "a\ue000", "\ue000"):
                await provider.create_row(samples.row(samples.execution(instance_id), clock()))
            page = await provider.query(InstanceFilter(id_prefix=last))
            assert [row.instance_id for row in page.rows] == [last, last + "x"]

    run(main)


def test_a_log_without_its_start_is_swept_and_one_with_it_is_not(tmp_path: Path) -> None:
    """P3: a zombie writes after its tombstone is gone."""

    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock) as provider:
            zombie, alive = samples.execution("zombie"), samples.execution("alive")
            for number in (5, 6):
                await provider.append(samples.turn(zombie, number, clock()))
            for number in (0, 1):
                await provider.append(samples.turn(alive, number, clock()))
            assert await provider.sweep(clock() - DAY) == 0
            assert await provider.sweep(clock() + DAY) == 1
            await provider.append(samples.turn(zombie, 5, clock(), commit_id="another"))
            assert len(await provider.history("alive")) == 2

    run(main)


def test_a_log_that_got_its_start_meanwhile_is_not_swept() -> None:
    """The search reads beside the writer; what it found is looked at again."""

    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            of = samples.execution("late")
            await provider.append(samples.turn(of, 1, clock()))
            database = provider._database  # pyright: ignore[reportPrivateUsage]
            later = "2031-01-01T00:00:00.000000Z"
            found = await database.scan(lambda db: purging.headless(db, later))
            assert len(found) == 1
            await provider.append(samples.turn(of, 0, clock()))
            assert await database.write(lambda db: purging.sweep(db, later, found)) == 0
            assert len(await provider.history("late")) == 2

    run(main)


def test_a_zombie_loses_every_turn_of_a_purged_execution() -> None:
    async def main(clock: VirtualClock) -> None:
        async with _opened(":memory:", clock) as provider:
            of = samples.execution("order-1")
            done = samples.row(of, clock(), status=RuntimeStatus.COMPLETED)
            await provider.create_row(done)
            for number in range(3):
                await provider.append(samples.turn(of, number, clock()))
            await provider.purge(done)
            for number in range(5):
                with pytest.raises(TurnLostError):
                    await provider.append(samples.turn(of, number, clock(), commit_id="zombie"))

    run(main)


_COMMITS = """
import asyncio, sys
from datetime import UTC, datetime
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.testing.conformance import samples

async def main():
    provider = SqliteProvider(sys.argv[1])
    await provider.create_hub()
    number = 0
    while True:
        await asyncio.gather(*(
            provider.append(samples.turn(samples.execution(f"i{n}"), number, datetime.now(UTC))) for n in range(5)
        ))
        print(number, flush=True)
        number += 1

asyncio.run(main())
"""


@pytest.mark.process
def test_what_a_killed_process_committed_is_there(tmp_path: Path) -> None:
    """NORMAL survives kill -9, and the file is whole."""
    child = subprocess.Popen([sys.executable, "-c", _COMMITS, str(tmp_path / FILE)], stdout=subprocess.PIPE, text=True)
    with child:
        assert child.stdout is not None
        committed = 0
        for line in child.stdout:
            committed = int(line)
            if committed == 300:
                child.send_signal(signal.SIGKILL)
    assert committed >= 300

    async def main(clock: VirtualClock) -> None:
        async with _opened(tmp_path / FILE, clock, hub="DurableHub") as provider:
            for n in range(5):
                numbers = [turn.number for turn in await provider.history(f"i{n}")]
                assert numbers == list(range(len(numbers)))
                assert len(numbers) > committed

    run(main)
    db = sqlite3.connect(tmp_path / FILE)
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


_RECEIVES = """
import asyncio, sys
from datetime import UTC, datetime, timedelta
from durable_ext.providers.sqlite import SqliteProvider

async def main():
    provider = SqliteProvider(sys.argv[1])
    print("ready", flush=True)
    sys.stdin.readline()
    while found := await provider.receive_work(limit=3, lease=timedelta(seconds=30), wait=timedelta(seconds=1)):
        for delivery in found:
            print(delivery.messages[0].id, flush=True)
            await provider.complete(delivery)
    await provider.close()

asyncio.run(main())
"""


@pytest.mark.process
def test_processes_share_a_queue_without_taking_anything_twice(tmp_path: Path) -> None:
    sent = [f"message-{n}" for n in range(200)]

    async def main() -> list[str]:
        provider = SqliteProvider(tmp_path / FILE)
        await provider.create_hub()
        command = (sys.executable, "-c", _RECEIVES, str(tmp_path / FILE))
        for n in range(0, 200, 10):
            now = datetime.now(UTC)
            await provider.send([samples.work_item("i", number, now) for number in range(n, n + 10)])
        children = [
            await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            for _ in range(2)
        ]
        for child in children:
            assert child.stdout is not None
            assert await child.stdout.readline() == b"ready\n"
        outputs = await asyncio.gather(*(child.communicate(b"go\n") for child in children))
        await provider.close()
        shares = [output.decode().split() for output, _ in outputs]
        assert all(shares)
        return [line for share in shares for line in share]

    assert sorted(asyncio.run(main())) == sorted(sent)
