"""Each invariant notices a planted violation, and none a sound hub (T7)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest

from durable_ext.authoring.context import ActivityContext
from durable_ext.records import events
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import inline
from durable_ext.records.turns import Turn
from durable_ext.testing.simulation import invariants
from durable_ext.testing.simulation.case import Case, Order, Planned
from durable_ext.testing.simulation.expectation import expected, matches, value_of
from durable_ext.testing.simulation.invariants import Instance, Remains
from durable_ext.testing.simulation.ledger import Runs
from durable_ext.testing.simulation.world import World, play
from durable_ext.testing.virtual_time import START, VirtualClock
from durable_ext.testing.virtual_time import run as on_virtual_time
from durable_ext.worker.settings import WorkerSettings

from .samples import broken, chain, eternal, tagged


def _sound(case: Case, look: Callable[[Remains], Awaitable[Any]]) -> Any:
    """What `look` finds in the remains of a case that went well."""

    async def main(clock: VirtualClock) -> Any:
        found: list[Any] = []

        class Looking(World):
            async def _look(self) -> list[str]:
                wrong = await super()._look()
                found.append(await look(self._remains(swept=True)))
                return wrong

        outcome = await Looking(case, clock).play()
        assert outcome.wrong == ()
        return found[0]

    return on_virtual_time(main)


async def _first_instance(remains: Remains) -> Instance:
    (instance,) = await invariants._instances(remains)  # pyright: ignore[reportPrivateUsage]
    return instance


async def _rewound_child(remains: Remains) -> Instance:
    instances = await invariants._instances(remains)  # pyright: ignore[reportPrivateUsage]
    (child,) = [one for one in instances if one.planned is None]
    return child


INSTANCE: Instance = _sound(chain(), _first_instance)
ETERNAL: Instance = _sound(eternal(), _first_instance)
REWOUND: Instance = _sound(broken(), _rewound_child)


def _found(instance: Instance) -> list[str]:
    return [text for check in invariants.CHECKS for text in check(instance)]


def _with_turns(change: Callable[[list[Turn]], Sequence[Turn]], instance: Instance = INSTANCE) -> Instance:
    turns = tuple(change(list(instance.executions[-1])))
    return msgspec.structs.replace(instance, executions=(*instance.executions[:-1], turns))


def _with_event(turns: list[Turn], event: events.Event) -> list[Turn]:
    last = turns[-1]
    return [*turns[:-1], msgspec.structs.replace(last, events=(event, *last.events))]


def test_a_sound_instance_has_nothing_wrong() -> None:
    assert _found(INSTANCE) == []
    assert _found(ETERNAL) == []
    assert len(ETERNAL.executions) == 4
    assert _found(REWOUND) == []
    assert len(REWOUND.executions) == 3


ANSWER = events.TaskCompleted(task_id=0, result=inline(b"1"))


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (msgspec.structs.replace(INSTANCE, row=msgspec.structs.replace(INSTANCE.row, turn=0)), "the row says"),
        (
            msgspec.structs.replace(INSTANCE, row=msgspec.structs.replace(INSTANCE.row, output=inline(b"1"))),
            "the row says",
        ),
        (
            msgspec.structs.replace(INSTANCE, row=msgspec.structs.replace(INSTANCE.row, status=RuntimeStatus.RUNNING)),
            "it is Running",
        ),
        (msgspec.structs.replace(INSTANCE, executions=()), "no history"),
        (_with_turns(lambda turns: [turns[0], *turns[2:]]), "a log has the turns"),
        (_with_turns(lambda turns: turns[1:]), "a log has the turns"),
        (_with_turns(lambda turns: [*turns, msgspec.structs.replace(turns[1], number=len(turns))]), "after its end"),
        (_with_turns(lambda turns: _with_event(turns, ANSWER)), "2 outcomes of task 0"),
        (
            _with_turns(lambda turns: _with_event(turns, events.TimerFired(task_id=77))),
            "task 77, which was never asked for",
        ),
        (
            _with_turns(
                lambda turns: [*turns[:-1], msgspec.structs.replace(turns[-1], message_ids=turns[0].message_ids)]
            ),
            "was consumed 2 times",
        ),
        (
            msgspec.structs.replace(ETERNAL, executions=(ETERNAL.executions[0], *ETERNAL.executions)),
            "was consumed 2 times",
        ),
        (
            _with_turns(lambda turns: [msgspec.structs.replace(turns[0], time=START + timedelta(days=9)), *turns[1:]]),
            "runs backwards",
        ),
        (
            _with_turns(lambda turns: [msgspec.structs.replace(turn, time=START) for turn in turns], REWOUND),
            "runs backwards",
        ),
        (
            msgspec.structs.replace(REWOUND, executions=(REWOUND.executions[0], REWOUND.executions[2])),
            "is kept, and was not there",
        ),
    ],
)
def test_a_planted_violation_is_found(planted: Instance, said: str) -> None:
    assert any(said in text for text in _found(planted)), _found(planted)


def test_a_result_without_a_run_is_found() -> None:
    runs = Runs(lambda: START)
    assert len(list(invariants.unrun(INSTANCE, runs))) == 3
    execution = INSTANCE.row.execution.execution_id
    for task_id in (0, 1, 2):
        runs.end(ActivityContext(INSTANCE.id, execution, task_id))
    assert list(invariants.unrun(INSTANCE, runs)) == []


def test_what_a_rewind_keeps_and_runs_again_is_found() -> None:
    runs = Runs(lambda: START)
    for turns in REWOUND.executions:
        for event in (event for turn in turns for event in turn.events):
            if isinstance(event, events.TaskCompleted):
                runs.end(ActivityContext(REWOUND.id, turns[0].execution.execution_id, event.task_id))
    assert list(invariants.unrun(REWOUND, runs)) == []
    runs.begin(ActivityContext(REWOUND.id, REWOUND.row.execution.execution_id, 0))
    assert list(invariants.unrun(REWOUND, runs)) == ["task 0 had a result before the rewind, and ran again"]


def test_an_event_taken_twice_is_found() -> None:
    orders = (Order(at=1, kind="event", name="tick", value="a"), Order(at=2, kind="event", name="tick", value="b"))
    planned = Planned(id="x", programme={}, orders=orders)

    def turn(*values: str) -> Turn:
        raised = [events.EventRaised(name="tick", input=inline(msgspec.json.encode(value))) for value in values]
        return msgspec.structs.replace(INSTANCE.executions[-1][0], events=tuple(raised))

    assert list(invariants.taken_twice(planned, [turn("a", "b")])) == []
    assert list(invariants.taken_twice(planned, [turn("a", "b"), turn("a")])) != []


def test_events_sent_one_after_the_other_stay_in_order() -> None:
    orders = tuple(Order(at=1, kind="event", name="tick", value=value, after_last=True) for value in ("a", "b"))
    node = {"kind": "wait", "name": "tick", "count": 2, "ordered": True}
    wanted = expected(Planned(id="x", programme=node, orders=orders)).output
    assert matches(wanted, ["a", "b"])
    assert not matches(wanted, ["b", "a"])


def test_activities_run_where_their_tag_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert play(tagged()).wrong == ()

    def anything(_: WorkerSettings, tag: str) -> bool:
        return tag in {tag}

    monkeypatch.setattr(WorkerSettings, "serves", anything)
    wrong = play(tagged()).wrong
    assert any("ran where its tag is not taken" in text for text in wrong), wrong


def _remains(**changes: Any) -> Remains:
    async def none() -> Any:
        return []

    async def zero() -> int:
        return 0

    quiet = SimpleNamespace(
        store=SimpleNamespace(queued=zero, rows=tuple[()]),
        reach=SimpleNamespace(catalog=SimpleNamespace(list_quarantined=none)),
        outside=SimpleNamespace(purged={}, again=set[str]()),
        runs=Runs(lambda: START),
        case=chain(),
        open_sessions=0,
        swept=True,
    )
    for name, value in changes.items():
        setattr(quiet, name, value)
    return cast(Remains, quiet)


def _hub_wrong(remains: Remains) -> list[str]:
    async def main() -> list[str]:
        return [text for check in invariants.HUB_CHECKS for text in await check(remains)]

    return asyncio.run(main())


def _ran(times: int, *, once: bool) -> Runs:
    runs = Runs(lambda: START + timedelta(days=1))
    context = ActivityContext("x", "e", 0)
    for _ in range(times):
        (runs.begin_once if once else runs.begin)(context)
    return runs


def test_a_quiet_hub_has_nothing_wrong() -> None:
    assert _hub_wrong(_remains()) == []
    assert _hub_wrong(_remains(runs=_ran(1, once=True))) == []
    assert _hub_wrong(_remains(runs=_ran(5, once=False))) == []


def test_what_is_left_in_a_hub_is_found() -> None:
    async def three() -> int:
        return 3

    async def kept() -> Any:
        return [SimpleNamespace(instance_id="x", id="m", reason="why")]

    catalog = SimpleNamespace(catalog=SimpleNamespace(list_quarantined=kept))
    purged = SimpleNamespace(purged={"x": START.timestamp()}, again=set[str]())
    astray = Runs(lambda: START)
    astray.stray(ActivityContext("x", "e", 0))
    for changes, said in (
        ({"store": SimpleNamespace(queued=three)}, "3 messages are left"),
        ({"reach": catalog}, "quarantined: x m: why"),
        ({"open_sessions": 2}, "2 sessions are still open"),
        ({"runs": astray}, "x: task 0 ran where its tag is not taken"),
        ({"runs": _ran(2, once=True)}, "may be begun once and was 2 times"),
        ({"runs": _ran(1, once=False), "outside": purged}, "86400 s after the purge"),
    ):
        assert any(said in text for text in _hub_wrong(_remains(**changes))), said


def test_instances_that_are_gone_or_came_back_are_found() -> None:
    missing = invariants._missing  # pyright: ignore[reportPrivateUsage]
    assert missing(_remains(), [INSTANCE]) == []
    assert missing(_remains(), []) == ["chain: it is gone"]
    outside = SimpleNamespace(purged={"chain": 0.0}, again=set[str]())
    assert missing(_remains(outside=outside), []) == []
    assert missing(_remains(outside=outside), [INSTANCE]) == ["chain: it came back after its purge"]


def test_rows_of_nobody_are_found() -> None:
    leftovers = invariants._leftovers  # pyright: ignore[reportPrivateUsage]
    rows = [{"PartitionKey": "chain"}, {"PartitionKey": "^hub"}, {"PartitionKey": "gone"}]
    store = SimpleNamespace(rows=lambda: rows)
    assert leftovers(_remains(store=store), {"chain"}) == ["1 rows of gone are left in history"]
    assert leftovers(_remains(store=store, swept=False), {"chain"}) == []


@pytest.mark.parametrize(
    ("node", "value"),
    [
        ({"kind": "work", "value": 3}, 3),
        ({"kind": "work", "value": 3, "fails": "no"}, {"failed": "no"}),
        ({"kind": "work", "value": 3, "fails_first": 2, "attempts": 3}, 3),
        ({"kind": "work", "value": 3, "fails_first": 3, "attempts": 3}, {"failed": "not yet"}),
        ({"kind": "child", "programme": {"kind": "fail", "text": "over"}}, {"failed": "over"}),
        ({"kind": "all", "parts": [{"kind": "timer", "seconds": 1}, {"kind": "forget"}]}, ["timer", "forget"]),
        ({"kind": "wait", "name": "e", "count": 2, "ordered": False}, ["a", "b"]),
        ({"kind": "wait", "name": "e", "count": 2, "ordered": True}, ["b", "a"]),
        ({"kind": "wait", "name": "e", "count": 1, "never": True}, ["late"]),
    ],
)
def test_what_a_programme_comes_to(node: dict[str, Any], value: Any) -> None:
    assert value_of(node, {"e": ["b", "a"]}) == value


def test_what_an_instance_leaves_in_history_is_seen() -> None:
    async def look(remains: Remains) -> int:
        return sum(row["PartitionKey"] == "chain" for row in remains.store.rows())

    assert _sound(chain(), look) > 0
