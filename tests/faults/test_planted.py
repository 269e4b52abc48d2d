"""What is planted is found: in the code of users, and in an engine broken on purpose (T7)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Unpack

import pytest

from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Message, RaiseEvent
from durable_ext.replay.ledger import Ledger
from durable_ext.testing.faults import CrashOptions, CrashReport, Played, crash_everywhere
from durable_ext.worker.admission import Admission
from durable_ext.worker.attempts import Attempt
from durable_ext.worker.projection import Projector
from durable_ext.worker.session import Session
from durable_ext.worker.worker import Worker

from . import orders
from .orders import Order, app, process_order, side

ORDER = Order("A-1", 10)
APPROVAL = [("approval", True)]


def wrong(report: CrashReport) -> str:
    """All that was found, once each."""
    found = dict.fromkeys(text for failure in report.failures for text in str(failure).split("\n    ")[1:])
    return "\n".join(found)


def _forget_decisions() -> None:
    orders.decisions = 0


def test_code_that_decides_by_a_counter_of_its_process() -> None:
    report = crash_everywhere(app, "undecided", fresh=_forget_decisions, raises=False, worlds=["cached"])
    assert 0 < report.survived < report.points
    assert "the output is 'told decision 2', not 'told decision 1'" in wrong(report)


def test_code_that_does_something_else_in_a_replay() -> None:
    report = crash_everywhere(app, "moody", fresh=_forget_decisions, raises=False, worlds=["cached"], ways=["after"])
    assert 0 < report.survived < report.points
    assert "it is Running, not over" in wrong(report)
    assert "NonDeterminismError" in wrong(report)


def test_an_activity_that_does_it_twice() -> None:
    def charged_once(played: Played) -> None:
        assert orders.charges == ["A-1"], f"charged {len(orders.charges)} times"
        assert played.status is not None

    report = crash_everywhere(
        app,
        process_order,
        ORDER,
        events=APPROVAL,
        worlds=["cached"],
        fresh=orders.charges.clear,
        check=charged_once,
        raises=False,
    )
    assert 0 < len(report.failures) < report.points
    assert wrong(report).startswith("check: charged 2 times")
    assert "to play one alone: crash_everywhere(..., only='azure cached" in str(report)


def test_an_activity_that_has_the_same_key_each_time_may_do_it_twice() -> None:
    def charged_once(played: Played) -> None:
        assert len(orders.keys) == 1
        assert played.runs["charge"] <= 2

    crash_everywhere(
        app,
        process_order,
        ORDER,
        events=APPROVAL,
        worlds=["cached"],
        fresh=orders.keys.clear,
        check=charged_once,
    )


def test_an_activity_that_may_not_run_twice() -> None:
    report = crash_everywhere(
        app,
        process_order,
        ORDER,
        events=APPROVAL,
        at_most_once=[orders.charge],
        worlds=["cached"],
        ways=["before"],
        raises=False,
    )
    assert wrong(report).startswith("activity 'charge': one call ran 2 times, at most 1 allowed\nlog: ")


def test_a_wrong_output_and_a_wrong_end() -> None:
    report = crash_everywhere(side, "quick", 1, expect=3, raises=False)
    assert report.points == 0
    assert wrong(report) == "the output is 2, not 3"
    report = crash_everywhere(app, "refusing", worlds=["cached"], raises=False)
    assert wrong(report) == "it ended Failed ('ValueError: not today'), not Completed"
    report = crash_everywhere(app, "refusing", status=RuntimeStatus.FAILED, worlds=["cached"], ways=["after"])
    assert report.all_survived


def test_an_instance_that_is_never_over() -> None:
    report = crash_everywhere(app, "waiting", worlds=["cached"], raises=False)
    assert "instance 'it': it is Running, not over" in wrong(report)


def test_work_that_is_never_over() -> None:
    report = crash_everywhere(side, "stuck_for_ever", worlds=["cached"], within=timedelta(minutes=5), raises=False)
    assert "still busy: 1 sessions, 1 deliveries in hand" in wrong(report)


def test_commands_that_are_refused() -> None:
    async def raise_late(client: Any) -> None:
        await client.raise_event("nobody", "approval")

    report = crash_everywhere(side, "quick", 1, then=raise_late, worlds=["cached"], raises=False)
    assert wrong(report) == "from outside: InstanceNotFoundError: no instance has the id 'nobody'"


def broken(**options: Unpack[CrashOptions]) -> str:
    """What is found of an order over SQLite, in one world and way unless told."""
    chosen: CrashOptions = {"events": APPROVAL, "store": "sqlite", "worlds": ["cached"], "raises": False}
    chosen.update(options)
    return wrong(crash_everywhere(app, process_order, ORDER, **chosen))


def test_an_engine_that_loses_events(monkeypatch: pytest.MonkeyPatch) -> None:
    send = SqliteProvider.send

    async def losing(self: SqliteProvider, messages: Sequence[Message]) -> None:
        await send(self, [message for message in messages if not isinstance(message.body, RaiseEvent)])

    monkeypatch.setattr(SqliteProvider, "send", losing)
    found = broken()
    assert "it is Running, not over" in found
    assert "was never taken in" not in found


def test_an_engine_that_repairs_nothing_when_a_trigger_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    def idle(self: Session, admitted: Any) -> None:
        return None

    monkeypatch.setattr(Session, "_repair", idle)
    # The janitor finds it within minutes, later than who got the trigger would have repaired it.
    found = broken(ways=["after"], recovers_within=timedelta(minutes=1))
    assert "without the fault after 0:00:03" in found
    assert not broken(ways=["after"])


def test_an_engine_that_knows_no_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    judge = Ledger.judge

    def forgetful(self: Ledger, message: Message) -> Any:
        self._consumed.clear()  # pyright: ignore[reportPrivateUsage]
        return judge(self, message)

    async def unknown(self: Admission, *_: Any) -> bool:
        return False

    monkeypatch.setattr(Ledger, "judge", forgetful)
    monkeypatch.setattr(Admission, "_repairs", unknown)
    events = [("tick", letter) for letter in "abc"]
    found = crash_everywhere(
        app, "three_events", events=events, store="sqlite", worlds=["cached"], ways=["throttled"], raises=False
    )
    assert "was taken in 2 times" in wrong(found)


def test_an_engine_whose_rows_lag(monkeypatch: pytest.MonkeyPatch) -> None:
    async def idle(self: Projector, row: Any, etag: str) -> str:
        return etag

    monkeypatch.setattr(Projector, "write", idle)
    found = broken()
    assert "its row lags behind history: status is Pending, in history Completed" in found


def test_an_engine_that_completes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    async def idle(self: SqliteProvider, delivery: Any) -> None:
        return None

    monkeypatch.setattr(SqliteProvider, "complete", idle)
    found = broken()
    assert "stranded in queue" in found


def test_an_engine_that_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    process = Worker._process_one  # pyright: ignore[reportPrivateUsage]

    async def failing(self: Worker, attempt: Attempt) -> None:
        if isinstance(attempt.message.body, RaiseEvent):
            raise RuntimeError("no events here")
        await process(self, attempt)

    monkeypatch.setattr(Worker, "_process_one", failing)
    assert "quarantined: could not be processed in" in broken(within=timedelta(hours=2))
