"""Group commit: none of a group spoils the others, and a lock held elsewhere is waited for, within bounds."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from durable_ext.errors import StorageError, StorageUnavailableError, TurnLostError
from durable_ext.providers.sqlite.writer import Writer
from durable_ext.testing.virtual_time import VirtualClock, run

Operation = Callable[[sqlite3.Connection], None]


@asynccontextmanager
async def _writer(path: Path, *, waits_for_disk: bool = False) -> AsyncGenerator[Writer]:
    connection = sqlite3.connect(path, timeout=0, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE seen (value)")
    writer = Writer(connection, "the file", waits_for_disk=waits_for_disk)
    yield writer
    await writer.close()
    connection.close()


def _put(value: object, then: Exception | None = None) -> Operation:
    def operation(db: sqlite3.Connection) -> None:
        db.execute("INSERT INTO seen VALUES (?)", (value,))
        if then is not None:
            raise then

    return operation


def _refuse(error: Exception) -> Operation:
    def operation(_db: sqlite3.Connection) -> None:
        raise error

    return operation


def _seen(path: Path) -> list[object]:
    connection = sqlite3.connect(path)
    found = [row[0] for row in connection.execute("SELECT value FROM seen ORDER BY rowid")]
    connection.close()
    return found


@pytest.mark.parametrize("waits_for_disk", [False, True])
def test_writes_at_once_are_one_transaction(tmp_path: Path, waits_for_disk: bool) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(_clock: VirtualClock) -> None:
        async with _writer(file, waits_for_disk=waits_for_disk) as writer:
            statements: list[str] = []
            writer.connection.set_trace_callback(statements.append)
            await asyncio.gather(*(writer.write(_put(n)) for n in range(20)))
            writer.connection.set_trace_callback(None)
            assert len([one for one in statements if one.startswith("BEGIN")]) == 1
            assert _seen(file) == list(range(20))

    run(main)


@pytest.mark.parametrize("waits_for_disk", [False, True])
def test_a_refused_write_spoils_no_other(tmp_path: Path, waits_for_disk: bool) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(_clock: VirtualClock) -> None:
        async with _writer(file, waits_for_disk=waits_for_disk) as writer:
            statements: list[str] = []
            writer.connection.set_trace_callback(statements.append)
            lost = TurnLostError("lost")
            ends = await asyncio.gather(*map(writer.write, (_put(1), _refuse(lost), _put(2))), return_exceptions=True)
            assert ends == [None, lost, None]
            writer.connection.set_trace_callback(None)
            assert len([one for one in statements if one.startswith("BEGIN")]) == 1
        assert _seen(file) == [1, 2]

    run(main)


@pytest.mark.parametrize("waits_for_disk", [False, True])
def test_a_write_that_breaks_half_way_leaves_nothing_and_spoils_no_other(tmp_path: Path, waits_for_disk: bool) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(_clock: VirtualClock) -> None:
        async with _writer(file, waits_for_disk=waits_for_disk) as writer:
            broken = RuntimeError("broken")
            writes = (_put(1), _put("half", broken), _put(2), _put("\ud800"), _put(3))
            ends = await asyncio.gather(*map(writer.write, writes), return_exceptions=True)
            assert [type(end) for end in ends] == [type(None), RuntimeError, type(None), StorageError, type(None)]
            await writer.write(_put(4))
        assert _seen(file) == [1, 2, 3, 4]

    run(main)


def test_a_full_disk_is_said_and_gets_over_it(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(_clock: VirtualClock) -> None:
        async with _writer(file) as writer:
            pages = writer.connection.execute("PRAGMA page_count").fetchone()[0]
            writer.connection.execute(f"PRAGMA max_page_count = {pages}")
            with pytest.raises(StorageUnavailableError):
                await writer.write(_put("x" * 100_000))
            writer.connection.execute("PRAGMA max_page_count = 100000")
            await writer.write(_put(1))
        assert _seen(file) == [1]

    run(main)


def test_a_lock_held_elsewhere_is_waited_for(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(clock: VirtualClock) -> None:
        async with _writer(file) as writer:
            other = sqlite3.connect(file, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            waiting = asyncio.create_task(writer.write(_put(1)))
            before = clock()
            await clock.sleep(3)
            assert not waiting.done()
            other.execute("COMMIT")
            other.close()
            await waiting
            assert (clock() - before).total_seconds() < 3.2
        assert _seen(file) == [1]

    run(main)


def test_a_lock_held_for_ever_is_said(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(clock: VirtualClock) -> None:
        async with _writer(file) as writer:
            other = sqlite3.connect(file, isolation_level=None)
            other.execute("BEGIN IMMEDIATE")
            before = clock()
            ends = await asyncio.gather(*map(writer.write, (_put(1), _put(2))), return_exceptions=True)
            assert [type(end) for end in ends] == [StorageUnavailableError] * 2
            assert 10 < (clock() - before).total_seconds() < 30
            other.execute("COMMIT")
            other.close()
            await writer.write(_put(3))
        assert _seen(file) == [3]

    run(main)


def test_a_commit_that_fails_leaves_nothing_and_the_next_one_works(tmp_path: Path) -> None:
    """A constraint that is checked at commit stands for a disk that fails there."""
    file = tmp_path / "hub.sqlite"

    async def main(_clock: VirtualClock) -> None:
        async with _writer(file) as writer:
            writer.connection.execute("PRAGMA foreign_keys = ON")
            writer.connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
            writer.connection.execute("CREATE TABLE child (id REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED)")

            def orphan(db: sqlite3.Connection) -> None:
                db.execute("INSERT INTO child VALUES (7)")

            ends = await asyncio.gather(*map(writer.write, (_put(1), orphan)), return_exceptions=True)
            assert [type(end) for end in ends] == [StorageError] * 2
            await writer.write(_put(2))
        assert _seen(file) == [2]

    run(main)


def test_a_write_whose_caller_is_gone_is_not_begun(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(_clock: VirtualClock) -> None:
        async with _writer(file) as writer:
            gone = asyncio.create_task(writer.write(_put("gone")))
            stays = asyncio.create_task(writer.write(_put("stays")))
            asyncio.get_running_loop().call_soon(gone.cancel)
            await asyncio.wait({gone, stays})
            assert gone.cancelled()
        assert _seen(file) == ["stays"]

    run(main)


def test_closing_writes_what_waits(tmp_path: Path) -> None:
    file = tmp_path / "hub.sqlite"

    async def main(_clock: VirtualClock) -> None:
        async with _writer(file, waits_for_disk=True) as writer:
            tasks = [asyncio.create_task(writer.write(_put(n))) for n in range(300)]
            await asyncio.sleep(0)
            await writer.close()
            await asyncio.gather(*tasks)
        assert _seen(file) == list(range(300))

    run(main)
