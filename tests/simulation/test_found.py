"""Bugs that the simulation found, each as a small case of its own: seeds mean something else when the load changes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from durable_ext.testing.simulation.case import CallFault, Case
from durable_ext.testing.simulation.world import play
from durable_ext.worker import earlier

from .samples import eternal


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
    assert any(play(case).wrong for case in _between_two_executions())
