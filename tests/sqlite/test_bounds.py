"""A file that somebody deletes, room that is given back, and pages that end where rows are long."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from durable_ext.errors import StorageError, StorageUnavailableError
from durable_ext.providers.contract import InstanceFilter
from durable_ext.providers.sqlite import SqliteProvider, catalog, quarantine
from durable_ext.providers.sqlite.database import Synchronous
from durable_ext.records.messages import Quarantined
from durable_ext.testing.conformance import Store, samples
from durable_ext.testing.virtual_time import VirtualClock, run

FILE = "hub.sqlite"
EVERY = InstanceFilter()


@asynccontextmanager
async def opened(path: Path, clock: VirtualClock, synchronous: Synchronous) -> AsyncGenerator[SqliteProvider]:
    provider = SqliteProvider(path, clock=clock, synchronous=synchronous)
    await provider.create_hub()
    try:
        yield provider
    finally:
        await provider.close()


def replaced(file: Path) -> None:
    shutil.copy(file, file.with_name("copy"))
    file.with_name("copy").replace(file)


@pytest.mark.parametrize("synchronous", Synchronous)
@pytest.mark.parametrize("lose", [Path.unlink, replaced], ids=["deleted", "replaced"])
def test_a_lost_file_answers_nothing_and_takes_nothing(tmp_path: Path, lose: object, synchronous: Synchronous) -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(tmp_path / FILE, clock, synchronous) as provider:
            await provider.create_row(samples.row(samples.execution("a"), clock()))
            lose(tmp_path / FILE)  # pyright: ignore[reportCallIssue]
            for ask in (
                provider.create_row(samples.row(samples.execution("b"), clock())),
                provider.send([samples.message("a", 1, clock())]),
                provider.read_row("a"),
                provider.query(EVERY),
                provider.receive_control(0, limit=1, lease=timedelta(seconds=30), wait=timedelta(0)),
            ):
                with pytest.raises(StorageUnavailableError, match="deleted or replaced"):
                    await ask

    run(main)


def test_a_lost_file_is_told_of_once_and_not_made_anew(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(tmp_path / FILE, clock, Synchronous.NORMAL) as provider:
            (tmp_path / FILE).rename(tmp_path / "away")
            for _ in range(3):
                with pytest.raises(StorageUnavailableError):
                    await provider.count(EVERY)
            assert not (tmp_path / FILE).exists()
            (tmp_path / "away").rename(tmp_path / FILE)
            await provider.create_row(samples.row(samples.execution("a"), clock()))
            assert await provider.read_row("a") is not None

    run(main)
    assert [record.levelname for record in caplog.records if FILE in record.getMessage()] == ["ERROR"]


def test_a_file_that_goes_while_a_group_is_written_is_noticed(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        async with opened(tmp_path / FILE, clock, Synchronous.FULL) as provider:
            writing = asyncio.create_task(provider.create_row(samples.row(samples.execution("a"), clock())))
            await asyncio.sleep(0)
            (tmp_path / FILE).unlink()
            with pytest.raises(StorageError, match="deleted or replaced"):
                await writing

    run(main)


def test_a_purge_gives_room_back_to_the_disk(tmp_path: Path) -> None:
    async def main(clock: VirtualClock) -> None:
        sizes: list[int] = []
        async with opened(tmp_path / FILE, clock, Synchronous.NORMAL) as provider:
            store = Store(provider, provider, provider, pass_time=asyncio.sleep, clock=clock)
            for number in range(4):
                of = samples.execution(f"i{number}")
                await samples.ended(store, of)
                found = await provider.read_row(of.instance_id)
                assert found is not None
                await provider.update_row(msgspec.structs.replace(found.row, input=samples.text(2_000_000)), found.etag)
            sizes.append(_pages(tmp_path / FILE))
            for row in (await provider.query(EVERY)).rows:
                await provider.purge(row)
            sizes.append(_pages(tmp_path / FILE))
        sizes.append((tmp_path / FILE).stat().st_size)
        assert sizes[0] > 1900
        assert sizes[1] < 100
        assert sizes[2] < 400_000

    run(main)


def _pages(file: Path) -> int:
    db = sqlite3.connect(file)
    try:
        return int(db.execute("PRAGMA page_count").fetchone()[0])
    finally:
        db.close()


def test_a_page_ends_where_rows_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "MAX_PAGE_BYTES", 5000)

    async def main(clock: VirtualClock) -> None:
        provider = SqliteProvider(":memory:", clock=clock)
        await provider.create_hub()
        for number, size in enumerate((2000, 2000, 2000, 9000, 100, 9000)):
            row = samples.row(samples.execution(f"i{number}"), clock())
            await provider.create_row(msgspec.structs.replace(row, input=samples.text(size)))
        seen: list[list[str]] = []
        continuation: str | None = None
        while True:
            page = await provider.query(EVERY, continuation=continuation)
            seen.append([row.instance_id for row in page.rows])
            continuation = page.continuation
            if continuation is None:
                break
        assert [found for found in seen if found] == [["i0", "i1"], ["i2"], ["i3"], ["i4"], ["i5"]]
        await provider.close()

    run(main)


def test_a_list_of_kept_messages_ends_where_they_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_PAGE_BYTES", 100)

    async def main(clock: VirtualClock) -> None:
        provider = SqliteProvider(":memory:", clock=clock)
        await provider.create_hub()
        for number in range(4):
            await provider.quarantine(
                Quarantined(
                    id=f"m{number}", queue="q", body="x" * 60, reason="", instance_id="i", dequeue_count=1, time=clock()
                )
            )
        assert [message.id for message in await provider.list_quarantined()] == ["m0", "m1"]
        await provider.close()

    run(main)
