"""The watchdog tells of code that blocks the event loop, and leaves a note before it ends the process."""

from __future__ import annotations

import asyncio
import faulthandler
import inspect
import logging
import threading
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.stall import Stall, journal_of, stall_of
from durable_ext.worker import watchdog as watched
from durable_ext.worker.client import utc_now
from durable_ext.worker.culprits import is_being_debugged
from durable_ext.worker.heartbeat import Heartbeat
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.stalls import MOST_STALLS
from durable_ext.worker.watchdog import EXIT_CODE, Watchdog

from ..pumped import pumped

DAY = timedelta(days=1)
NEVER = timedelta(0)


class Blocker:
    """Blocks the loop, until somebody lets it go."""

    def __init__(self) -> None:
        self.free = threading.Event()

    def app(self) -> Registry:
        async def waits() -> None:
            self.free.wait(10)

        async def limited() -> None:
            self.free.wait(10)

        async def calls(ctx: OrchestrationContext) -> None:
            await ctx.call_activity(waits)

        async def calls_limited(ctx: OrchestrationContext) -> None:
            await ctx.call_activity(limited)

        async def stands_still(ctx: OrchestrationContext) -> None:
            self.free.wait(10)

        registry = Registry()
        registry.add_activity(waits)
        registry.add_activity(limited, time_limit=timedelta(minutes=1))
        registry.add_orchestrator(calls_limited)
        registry.add_orchestrator(calls)
        registry.add_orchestrator(stands_still)
        return registry


def _nothing(*_: object, **_named: object) -> None:
    return None


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watched, "_TICK", 0.02)
    monkeypatch.setattr(watched, "_NOTICED_AFTER", 0.05)
    monkeypatch.setattr(faulthandler, "dump_traceback_later", _nothing)


class Ends(logging.Handler):
    """Frees the blocker once it is told of."""

    def __init__(self, blocker: Blocker) -> None:
        super().__init__()
        self.blocker = blocker
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.blocker.free.set()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    ("name", "what", "function"),
    [
        ("calls", "activity 'waits'", "waits"),
        ("calls_limited", "activity 'limited'", "limited"),
        ("stands_still", "orchestrator 'stands_still'", "stands_still"),
    ],
)
def test_who_blocks_the_loop_is_told_once_for_each_place(name: str, what: str, function: str) -> None:
    (record,) = asyncio.run(_told_of(name))
    text = record.getMessage()
    assert record.levelno == logging.WARNING
    assert text.startswith(f"instance first: {what} has blocked the event loop for ")
    assert f"{__file__}:" in text
    assert f"in {function};" in text
    assert "self.free.wait(10)" in text, "the stack"
    assert getattr(record, "instance_id", "") == "first"


async def _told_of(name: str) -> list[logging.LogRecord]:
    blocker = Blocker()
    told = Ends(blocker)
    watched.logger.addHandler(told)
    watchdog = Watchdog("p", NEVER, None)
    try:
        async with pumped(blocker.app()) as worker:
            watchdog.start()
            for instance_id in ("first", "second"):
                await worker.client.start(name, instance_id=instance_id)
                await worker.client.wait_for_completion(instance_id, timeout=timedelta(seconds=20))
                blocker.free.clear()
                threading.Timer(0.5, blocker.free.set).start()
    finally:
        watchdog.stop()
        watched.logger.removeHandler(told)
    return told.records


@pytest.mark.usefixtures("quick")
def test_a_note_is_left_before_the_process_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    asyncio.run(_ends(tmp_path))
    assert "exit code 8" in caplog.records[-1].getMessage()


async def _ends(tmp_path: Path) -> None:
    blocker = Blocker()
    file = str(tmp_path / "hub.sqlite")
    store = SqliteProvider(file)
    await store.create_hub()
    codes: list[int] = []

    def end(code: int) -> None:
        codes.append(code)
        watchdog.stop()
        blocker.free.set()

    watchdog = Watchdog("p", timedelta(seconds=0.1), lambda: SqliteProvider(file), end)
    async with pumped(blocker.app()) as worker:
        watchdog.start()
        await worker.client.start("stands_still", instance_id="first")
        await worker.client.wait_for_completion("first", timeout=timedelta(seconds=20))
    (kept,) = await store.journals()
    note = stall_of(kept.journal)
    await store.close()
    assert codes == [EXIT_CODE]
    assert note is not None
    assert (note.instance_id, note.work, note.name) == ("first", "", "orchestrator 'stands_still'")
    assert note.place.startswith(f"{__file__}:")


def test_a_process_that_was_stopped_has_blocked_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    watchdog = Watchdog("p", timedelta(seconds=60), None)
    times, works = iter([600.0, 1200.0]), iter([0.5, 595.0])
    monkeypatch.setattr(watched.time, "monotonic", lambda: next(times))
    monkeypatch.setattr(watched.time, "process_time", lambda: next(works))
    assert watchdog.passed() == 1.0, "ten minutes later, without any work done"
    assert watchdog.passed() == pytest.approx(594.5), "ten minutes in which no other thread could run"


def test_a_debugger_blocks_nobody() -> None:
    names: dict[str, Any] = {"__name__": "pdb", "inspect": inspect}
    exec("def stopped(): return inspect.currentframe()", names)  # noqa: S102 - a function of another module
    assert is_being_debugged([names["stopped"]()])
    here = inspect.currentframe()
    assert here is not None
    assert not is_being_debugged([here])


def test_three_notes_within_a_day_refuse_that_code_alone() -> None:
    asyncio.run(_three_notes())


async def _three_notes() -> None:
    store = SqliteProvider(":memory:")
    await store.create_hub()
    now = [utc_now()]

    heartbeat = Heartbeat(store, "me", lambda: now[0], timedelta(seconds=15), Mishaps())
    stalls = heartbeat.stalls

    async def refused(work: str = "w", execution: str = "e") -> bool:
        now[0] += timedelta(minutes=1)
        await stalls.look(timedelta(seconds=1))
        return stalls.refusal("i", execution, work) is not None

    async def leave(number: int, time: datetime) -> None:
        stall = Stall(instance_id="i", execution_id="e", work="w", name="activity 'x'", place="app.py:3, in x")
        await store.write_journal(journal_of(stall, f"p{number}", time))

    await leave(-1, now[0] - 2 * DAY)
    for number in range(MOST_STALLS):
        assert not await refused()
        await leave(number, now[0])
    assert await refused()
    assert not await refused(work="other")
    assert not await refused(execution="the one after a restart")
    assert len(await store.journals()) == MOST_STALLS, "an old note is gone"
    error = stalls.refusal("i", "e", "w")
    assert error is not None
    assert "3 times, at app.py:3, in x" in str(error)
    await heartbeat.watch()
    assert len(await store.journals()) == MOST_STALLS, "a note is no dead process whose messages are sent again"
    now[0] += 2 * DAY
    assert not await refused()
    await store.close()
