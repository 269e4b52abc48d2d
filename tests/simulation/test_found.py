"""Bugs that the simulation found, each as a small case of its own: seeds mean something else when the load changes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from durable_ext.errors import DurableError
from durable_ext.records.events import Input
from durable_ext.replay.turn import TurnResult
from durable_ext.testing.simulation.case import CallFault, Case, Order, ProcessPlan, from_text
from durable_ext.testing.simulation.world import play
from durable_ext.worker import admission, earlier, rewinding
from durable_ext.worker.outstanding import Outstanding
from durable_ext.worker.session import Session
from durable_ext.worker.state import SessionState

from .samples import (
    broken,
    eternal,
    here_and_there,
    purged,
    quiet,
    reported,
    rewound_under_a_lock,
    told,
    told_then_locked,
)

FOUND = Path(__file__).parent / "found"
# How a long value is written in such a file: the letter and how often.
_LONG = re.compile(r"([xy])\*(\d+)")


def _between_two_executions() -> Iterator[Case]:
    """One call of either process refused; some of these refuse the first turn of an execution after another."""
    for seed in (5, 6, 7):
        for line in ("0.0", "1.0"):
            for call in range(6, 20):
                yield eternal(seed, CallFault(line=line, call=call, kind="refused"))


def test_a_process_that_lags_behind_repairs_what_another_one_left() -> None:
    """One process kept an instance in memory; another took an event, ended that execution and could not begin the
    next. The event came back to the first, which knew from storage that it was consumed, and dropped it with what it
    still owed: nobody ever began the next execution (P6)."""
    assert [case.faults for case in _between_two_executions() if play(case).wrong] == []


def test_that_case_still_falls_into_the_gap(monkeypatch: pytest.MonkeyPatch) -> None:
    async def trusts_memory(*_: Any) -> None:
        return None

    monkeypatch.setattr(earlier, "_check_is_current", trusts_memory)
    monkeypatch.setattr(Outstanding, "send", trusts_memory)  # the janitor would mend it a minute later
    assert any(play(case).wrong for case in _between_two_executions())


def _an_original_behind_its_repeat() -> Iterator[Case]:
    """A send that is given up and comes through later: the repeat overtakes it."""
    for seed in (0, 5):
        for line in ("0.0", "1.0"):
            for call in range(1, 8):
                yield told(seed, CallFault(line=line, call=call, kind="straggling", seconds=20))


def test_an_event_that_its_repeat_has_overtaken_is_taken_once() -> None:
    """The repeat was consumed, and the instance continued as new; the original, which nothing marks, was not looked up
    and consumed again (P7)."""
    assert [case.faults for case in _an_original_behind_its_repeat() if play(case).wrong] == []


def test_that_event_is_still_overtaken(monkeypatch: pytest.MonkeyPatch) -> None:
    async def trusts_marks(*_: Any) -> bool:
        return False

    monkeypatch.setattr(admission, "may_be_repeat", trusts_marks)
    wrong = [text for case in _an_original_behind_its_repeat() for text in play(case).wrong]
    assert any("was consumed 2 times" in text for text in wrong)


def _a_start_that_comes_back_during_the_purge() -> Iterator[Case]:
    """One call of the purge takes long; meanwhile the start that a dead process held is delivered again."""
    for call in range(4, 18):
        yield purged(0, CallFault(line="outside", call=call, kind="delayed", seconds=25))


def test_a_start_that_comes_back_during_the_purge_begins_nothing() -> None:
    """History was buried and the row still there: the start was taken for one that had not begun, and the instance ran
    again, in a log that no longer counts as history (P10). Two locks hold it now: what is buried is looked at first,
    and a purge leaves turn 0 as a tombstone too."""
    assert [case.faults for case in _a_start_that_comes_back_during_the_purge() if play(case).wrong] == []


def _a_send_that_fails_while_the_row_is_written() -> Iterator[Case]:
    for seed in (0, 1):
        for line in ("0.0", "1.0"):
            for put in range(6, 11):
                for write in range(4, 9):
                    yield here_and_there(
                        seed,
                        CallFault(line=line, call=put, kind="refused"),
                        CallFault(line=line, call=write, kind="delayed", seconds=5),
                    )


def test_a_send_that_fails_while_the_row_is_written_ends_the_session() -> None:
    """The session ended in silence: its trigger was held, and its lease renewed, until the process ended (P5)."""
    assert [case.faults for case in _a_send_that_fails_while_the_row_is_written() if play(case).wrong] == []


def _a_turn_that_comes_through_late() -> Iterator[Case]:
    """An insert that is given up and comes through while the activity before it runs again."""
    for seed in (0, 1, 2):
        for line in ("0.0", "1.0"):
            for call in range(3, 16):
                yield reported(seed, CallFault(line=line, call=call, kind="straggling", seconds=12))


def test_debts_of_a_turn_that_came_through_late_are_paid() -> None:
    """Its trigger had come back before and found nothing to repair; who lost to it took it for another process's, and
    dropped what it asked for (P13)."""
    assert [case.faults for case in _a_turn_that_comes_through_late() if play(case).wrong] == []


def test_turns_still_come_through_late(monkeypatch: pytest.MonkeyPatch) -> None:
    def leaves_them(*_: Any) -> bool:
        return False

    monkeypatch.setattr(Session, "_adopt_stragglers", leaves_them)
    assert any(play(case).wrong for case in _a_turn_that_comes_through_late())


def _clocks_apart() -> Iterator[Case]:
    """What fails on one process is rewound, and may go on on another, whose clock is a minute behind."""
    places = (ProcessPlan(skew=30), ProcessPlan(skew=-30))
    for seed in range(4):
        yield msgspec.structs.replace(broken(seed), places=places)


def test_after_a_rewind_time_goes_on() -> None:
    """The first turn after a rewind took the time of its process, and the code saw its own past in the future."""
    assert [case.seed for case in _clocks_apart() if play(case).wrong] == []


def test_those_clocks_are_still_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    def any_time(_: object, now: datetime) -> datetime:
        return now

    monkeypatch.setattr(SessionState, "next_time", any_time)
    wrong = [text for case in _clocks_apart() for text in play(case).wrong]
    assert any("its time runs backwards" in text for text in wrong)


def _a_rewind_in_the_middle_of_a_purge() -> Iterator[Case]:
    """One call of the purge takes long; meanwhile the instance is rewound."""
    (planned,) = broken().load
    planned = msgspec.structs.replace(planned, orders=(Order(at=4, kind="purge"),))
    for call in range(4, 9):
        yield quiet(0, planned, faults=(CallFault(line="outside", call=call, kind="delayed", seconds=25),))


def test_a_rewind_in_the_middle_of_a_purge_ends() -> None:
    """The purge left the row alone, and the execution that was to begin waited for its history for good (P10)."""
    assert [case.faults for case in _a_rewind_in_the_middle_of_a_purge() if play(case).wrong] == []


def test_that_rewind_is_still_in_the_middle_of_a_purge(monkeypatch: pytest.MonkeyPatch) -> None:
    refused: list[str] = []
    closed = rewinding.closed

    def noted(inputs: Sequence[Input], refusal: DurableError) -> TurnResult:
        refused.append(str(refusal))
        return closed(inputs, refusal)

    monkeypatch.setattr(rewinding, "closed", noted)
    for case in _a_rewind_in_the_middle_of_a_purge():
        play(case)
    assert any("is gone: it was purged" in text for text in refused)


def _a_request_for_a_lock_that_overtakes_a_signal() -> Iterator[Case]:
    """What is put is to be seen more than a minute later; one of these is the signal."""
    for seed in (0, 1):
        for line in ("0.0", "1.0"):
            for call in range(1, 4):
                yield told_then_locked(seed, CallFault(line=line, call=call, kind="hidden", seconds=80))


def test_what_was_sent_before_a_lock_is_taken_before_it() -> None:
    """The second entity of a lock is asked by the first one, whose request overtook what the holder had sent there: it
    waited for the end of the lock, behind what was called under it (P12)."""
    assert [case.faults for case in _a_request_for_a_lock_that_overtakes_a_signal() if play(case).wrong] == []


def test_that_request_still_overtakes_the_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    async def in_any_order(*_: Any) -> bool:
        return True

    monkeypatch.setattr(admission, "is_in_order", in_any_order)
    assert any(play(case).wrong for case in _a_request_for_a_lock_that_overtakes_a_signal())


def test_what_a_rewind_does_again_under_a_lock_is_no_repeat() -> None:
    """After two weeks the execution that failed is pruned; the one that went on told the entity anew, as it must under
    a lock, and the simulation took that for a message that was taken twice."""
    assert play(rewound_under_a_lock(days=17)).wrong == ()


@pytest.mark.parametrize("file", sorted(FOUND.glob("*.json")), ids=lambda file: file.stem)
def test_a_case_that_was_found_is_survived(file: Path) -> None:
    """`an-outcome-with-a-twin`: two outcomes of one activity in one turn; the session waited for the second in a loop
    that let nothing else run. `an-event-of-a-turn-that-came-through-late`: an insert that was given up came through
    when its trigger was gone; the outcome that met it was dropped, and with it what the turn owed.
    `a-failure-that-was-dealt-with`: a rewind took out a failure that the code had caught before it asked for what it
    failed of; the child was asked for as a new one, started anew, and met its own child.
    `a-signal-of-a-child-that-ended-elsewhere`: a child was handed over in memory, its process died before the signal
    of its first turn was sent, and it ended elsewhere. Its parent knew the outcome, and did not start it again: nothing
    made the child pay its debt. `an-event-that-comes-back-with-the-next-start`: an event that an execution had consumed
    came back together with the start of the rewind, and was looked up in no execution before, because the new one had
    no history yet. `a-turn-under-a-trigger-in-other-hands`: a process committed a turn, whose insert it had given up,
    under a trigger that another process had by then and settled. What had joined that turn came back and was known;
    nobody asked the entity what the turn had decided to ask."""
    outcome = play(from_text(_LONG.sub(lambda found: found[1] * int(found[2]), file.read_text())))
    assert outcome.wrong == ()
