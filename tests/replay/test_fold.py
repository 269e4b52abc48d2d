"""The Instances row is a projection of history (P8)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from durable_ext.records.events import Event, ForInstance
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.turns import Turn
from durable_ext.replay.fold import project

from .events import (
    EXECUTION,
    NOON,
    answer,
    at,
    child,
    completed,
    continued,
    failed,
    failure,
    fired,
    payload,
    raised,
    resumed,
    sent,
    started,
    status,
    suspended,
    task,
    terminated,
    timer,
)
from .situation import turn_of

NEXT = Execution(instance_id="order-1", execution_id="e2", generation=1)


def row_after(*turns: list[Event]) -> InstanceRow:
    row = project(None, [turn_of(number, recorded) for number, recorded in enumerate(turns)])
    assert row is not None
    return row


def in_next(turn: Turn) -> Turn:
    return msgspec.structs.replace(turn, execution=NEXT)


def value_of(field: Any) -> Any:
    return None if field is None else msgspec.json.decode(field.data)


@pytest.mark.parametrize(
    ("recorded", "wanted"),
    [
        ([task(0, "a"), timer(1, 60), child(2, "c"), sent(3, "o", "e")], RuntimeStatus.RUNNING),
        ([answer(0), fired(1), raised("e")], RuntimeStatus.RUNNING),
        ([suspended()], RuntimeStatus.SUSPENDED),
        ([suspended(), resumed()], RuntimeStatus.RUNNING),
        ([suspended(), resumed(), suspended()], RuntimeStatus.SUSPENDED),
        ([answer(0), completed(1)], RuntimeStatus.COMPLETED),
        ([failed(failure())], RuntimeStatus.FAILED),
        ([terminated()], RuntimeStatus.TERMINATED),
        ([suspended(), terminated()], RuntimeStatus.TERMINATED),
        ([continued(2)], RuntimeStatus.RUNNING),
    ],
)
def test_status(recorded: list[Event], wanted: RuntimeStatus) -> None:
    row = row_after([started()], recorded)
    assert row.status is wanted
    assert row.completed_at == (at(1) if wanted.is_terminal else None)


def test_a_suspended_instance_stays_so_until_it_is_resumed() -> None:
    assert row_after([started()], [suspended()], [answer(0)]).status is RuntimeStatus.SUSPENDED
    assert row_after([started()], [suspended()], [answer(0)], [resumed()]).status is RuntimeStatus.RUNNING
    assert row_after([started(), suspended()], [raised("e")]).status is RuntimeStatus.SUSPENDED


def test_what_the_start_says() -> None:
    row = row_after([started({"n": 1})])
    assert (row.name, row.created_at, row.updated_at) == ("main", NOON, NOON)
    assert value_of(row.input) == {"n": 1}
    assert (row.execution, row.turn, row.position) == (EXECUTION, 0, (0, 0))


def test_output_and_failure() -> None:
    assert value_of(row_after([started(), completed({"ok": True})]).output) == {"ok": True}
    row = row_after([started(), failed(failure())])
    assert (row.failure, row.output) == (failure(), None)
    assert value_of(row_after([started()], [terminated()]).output) == "enough"


def test_custom_status_is_the_last_one() -> None:
    assert value_of(row_after([started(), status(1), status(2)], [answer(0)]).custom_status) == 2
    assert row_after([started()]).custom_status is None


def test_over_continue_as_new() -> None:
    row = row_after([started(1), status("half")], [continued(2)])
    following = project(row, [in_next(turn_of(0, [started(2)], seconds=2))])
    assert following is not None
    assert following.status is RuntimeStatus.RUNNING
    assert value_of(following.input) == 2
    assert value_of(following.custom_status) == "half"
    assert following.execution == NEXT
    assert following.position == (1, 0) > row.position
    assert following.created_at == NOON


def test_commands_carried_over_take_effect() -> None:
    carried: tuple[ForInstance, ...] = (suspended(),)
    row = row_after([started()], [continued(2, *carried)])
    following = project(row, [in_next(turn_of(0, [started(2), *carried], seconds=2))])
    assert following is not None
    assert following.status is RuntimeStatus.SUSPENDED


def test_a_row_that_lags_catches_up() -> None:
    turns = [
        turn_of(0, [started(1), task(0, "a")]),
        turn_of(1, [answer(0), status("on"), suspended()]),
        turn_of(2, [resumed()]),
        turn_of(3, [raised("e"), completed("ok")]),
    ]
    whole = project(None, turns)
    for cut in range(len(turns) + 1):
        lagging = project(None, turns[:cut])
        assert project(lagging, turns[cut:]) == whole


def test_a_pending_row_keeps_when_it_was_to_start() -> None:
    pending = InstanceRow(
        execution=EXECUTION,
        name="main",
        status=RuntimeStatus.PENDING,
        created_at=NOON,
        updated_at=NOON,
        scheduled_start=at(10),
        input=payload(1),
    )
    row = project(pending, [turn_of(0, [started(1)], seconds=11)])
    assert row is not None
    assert (row.status, row.scheduled_start, row.turn) == (RuntimeStatus.RUNNING, at(10), 0)


def test_an_id_that_is_used_again_starts_clean() -> None:
    over = row_after([started(1), status("old"), completed("old")])
    again = msgspec.structs.replace(
        turn_of(0, [started(2)], seconds=9), execution=Execution(instance_id="order-1", execution_id="e9")
    )
    row = project(over, [again])
    assert row is not None
    assert (row.status, row.output, row.completed_at, row.custom_status) == (RuntimeStatus.RUNNING, None, None, None)


def test_nothing_has_no_row() -> None:
    assert project(None, []) is None
    assert project(None, [turn_of(4, [answer(0)])]) is None
