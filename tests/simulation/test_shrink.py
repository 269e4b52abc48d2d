"""A broken engine fails, and its failure is shrunk to something that can be read (T7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from durable_ext.replay.ledger import Ledger
from durable_ext.testing.simulation.case import CallFault, Case
from durable_ext.testing.simulation.load import case_of
from durable_ext.testing.simulation.seeds import played
from durable_ext.testing.simulation.shrink import shrink
from durable_ext.testing.simulation.world import Outcome
from durable_ext.worker import admission


def _without_debts(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> tuple[()]:
        return ()

    monkeypatch.setattr(Ledger, "owed_under", nothing)


def _without_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_books(*_: Any) -> tuple[()]:
        return ()

    monkeypatch.setattr(admission, "books_under", no_books)


def _first_failing(first: int, most: int) -> tuple[Case, Outcome]:
    for seed in range(first, first + most):
        case = case_of(seed)
        outcome = played(case)
        if outcome.wrong:
            return case, outcome
    pytest.fail(f"the broken engine survived {most} seeds")


@pytest.mark.parametrize("broken", [_without_debts, _without_memory])
def test_a_broken_engine_is_found_and_shrunk(broken: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    broken(monkeypatch)
    case, outcome = _first_failing(0, 150)
    shrunk = shrink(case, outcome, run=played, most_tries=80)
    assert shrunk.outcome.wrong
    assert shrunk.tries <= 80
    assert len(shrunk.case.load) <= len(case.load)
    assert len(shrunk.case.faults or ()) < max(len(outcome.drawn), 2)
    assert played(shrunk.case).wrong == shrunk.outcome.wrong


def _needing(case: Case) -> Outcome:
    """A run that fails when the second instance, the third fault and one disturbance are there."""
    kinds = [fault.call for fault in case.faults or ()]
    wrong = any(one.id == case_of(3).load[1].id for one in case.load) and 3 in kinds
    return Outcome(
        wrong=("it fails",) if wrong else (),
        drawn=(),
        digest="",
        faults={},
        instances=0,
        calls=0,
        seconds=0,
    )


def test_what_does_not_matter_is_left_out() -> None:
    faults = tuple(CallFault(line="0.0", call=call, kind="lost") for call in range(40))
    case = msgspec.structs.replace(case_of(3), faults=faults)
    assert len(case.load) > 2
    shrunk = shrink(case, _needing(case), run=_needing).case
    assert [one.id for one in shrunk.load] == [case.load[1].id]
    assert [fault.call for fault in shrunk.faults or ()] == [3]
    assert shrunk.disturbances == ()


def test_shrinking_ends() -> None:
    faults = tuple(CallFault(line="0.0", call=call, kind="lost") for call in range(400))
    case = msgspec.structs.replace(case_of(3), faults=faults)
    assert shrink(case, _needing(case), run=_needing, most_tries=7).tries == 7
