"""The account finds what it is there to find: each planted deviation, and nothing in what is right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from benchmarks.soak.account import Kind, account, event_faults
from benchmarks.soak.effects import BEGIN, END, Effect
from benchmarks.soak.evidence import Evidence, Log
from benchmarks.soak.figures import quantile, recoveries, resources
from benchmarks.soak.hosts import Kill, Sample
from benchmarks.soak.ledgers import Ledger
from benchmarks.soak.load import Answer, Started
from benchmarks.soak.plan import Ending, Order, Settings, child_order, make_plan, orders
from durable_ext.records.events import (
    ContinuedAsNew,
    Event,
    EventRaised,
    ExecutionCompleted,
    ExecutionStarted,
    ExecutionTerminated,
    TaskCompleted,
    TaskScheduled,
)
from durable_ext.records.instance import Execution, InstanceRow, Parent, RuntimeStatus
from durable_ext.records.messages import Quarantined
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.turns import Turn
from durable_ext.replay.fold import project

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def value(data: Any) -> Payload:
    return inline(msgspec.json.encode(data))


def started(kind: str, data: Any = None, parent: Parent | None = None, previous: str | None = None) -> ExecutionStarted:
    return ExecutionStarted(name=kind, input=value(data), created_at=NOW, parent=parent, previous=previous)


def turns(instance_id: str, *events: tuple[Event, ...], generation: int = 0) -> Log:
    """One turn for each group of events; turn n consumed message n of this execution."""
    execution = Execution(instance_id=instance_id, execution_id=f"{instance_id}-{generation}", generation=generation)
    return tuple(
        Turn(
            execution=execution,
            number=number,
            events=group,
            message_ids=(f"{execution.execution_id}-message-{number}",),
            trigger_id="t",
            time=NOW + timedelta(seconds=number),
            commit_id=f"c-{number}",
        )
        for number, group in enumerate(events)
    )


def row_of(*logs: Log) -> InstanceRow:
    row: InstanceRow | None = None
    for log in logs:
        row = project(row, log)
    assert row is not None
    return row


def chain_log(instance_id: str = "chain-1") -> Log:
    return turns(
        instance_id,
        (started("chain"), TaskScheduled(id=0, name="add", input=value(1))),
        (TaskCompleted(task_id=0, result=value(2)), ExecutionCompleted(result=value(2))),
    )


def right() -> Evidence:
    """A chain that is as it must be."""
    log = chain_log()
    return Evidence(
        started=[Started(Order("chain-1", "chain", None, 2), Answer.ACCEPTED)],
        rows={"chain-1": row_of(log)},
        logs={"chain-1": [log]},
        effects=[Effect("chain-1-0-0", 7, 1.0, BEGIN), Effect("chain-1-0-0", 7, 2.0, END)],
    )


def with_log(evidence: Evidence, *logs: Log) -> Evidence:
    """The instance has these executions, and a row that follows from them."""
    return replace(evidence, rows={"chain-1": row_of(*logs)}, logs={"chain-1": list(logs)})


def with_row(evidence: Evidence, **changes: Any) -> Evidence:
    return replace(evidence, rows={"chain-1": msgspec.structs.replace(evidence.rows["chain-1"], **changes)})


def with_last_turn(evidence: Evidence, *events: Event, **changes: Any) -> Evidence:
    """The last turn of the log replaced, and the row made anew."""
    first, last = evidence.logs["chain-1"][0]
    return with_log(evidence, (first, msgspec.structs.replace(last, events=events or last.events, **changes)))


def doubled_message(evidence: Evidence) -> Evidence:
    first = evidence.logs["chain-1"][0][0]
    return with_last_turn(evidence, message_ids=first.message_ids)


def lost_turn(evidence: Evidence) -> Evidence:
    return with_last_turn(evidence, number=2)


def second_end(evidence: Evidence) -> Evidence:
    last = evidence.logs["chain-1"][0][1]
    return with_last_turn(evidence, *last.events, last.events[-1])


def second_outcome(evidence: Evidence) -> Evidence:
    last = evidence.logs["chain-1"][0][1]
    return with_last_turn(evidence, last.events[0], *last.events)


def no_outcome(evidence: Evidence) -> Evidence:
    return with_last_turn(evidence, evidence.logs["chain-1"][0][1].events[-1])


def stray_outcome(evidence: Evidence) -> Evidence:
    last = evidence.logs["chain-1"][0][1]
    return with_last_turn(evidence, TaskCompleted(task_id=9, result=value(2)), *last.events)


def lost_execution(evidence: Evidence) -> Evidence:
    log = turns("chain-1", (started("chain"), ExecutionCompleted(result=value(2))), generation=1)
    return with_log(evidence, log)


def not_continued(evidence: Evidence) -> Evidence:
    log = turns("chain-1", (started("chain"), ExecutionCompleted(result=value(2))), generation=1)
    return with_log(evidence, chain_log(), log)


def stray(evidence: Evidence) -> Evidence:
    log = chain_log("nobody")
    return replace(
        evidence,
        rows=evidence.rows | {"nobody": row_of(log)},
        logs=evidence.logs | {"nobody": [log]},
        effects=[*evidence.effects, Effect("nobody-0-0", 1, 1.0, BEGIN), Effect("nobody-0-0", 1, 1.0, END)],
    )


def wrong_child(evidence: Evidence) -> Evidence:
    parent = Parent(instance_id="chain-1", execution_id="chain-1-0", task_id=0)
    given = {"width": 1, "depth": 0, "value": 5}
    log = turns("c", (started("tree", given, parent), ExecutionCompleted(result=value(7))))
    return replace(evidence, rows=evidence.rows | {"c": row_of(log)}, logs=evidence.logs | {"c": [log]})


def with_tell(evidence: Evidence, told: list[int], locked_by: str = "") -> Evidence:
    """One that has told a ledger three numbers, and what the ledger knows of them."""
    given = {"ledgers": ["@ledger@a"], "count": 3, "alone": False}
    order = Order("tell-1", "tell", given, [1, 3])
    log = turns("tell-1", (started("tell", given), ExecutionCompleted(result=value([1, 3]))))
    return replace(
        evidence,
        started=[*evidence.started, Started(order, Answer.ACCEPTED)],
        rows=evidence.rows | {"tell-1": row_of(log)},
        logs=evidence.logs | {"tell-1": [log]},
        ledgers={"@ledger@a": Ledger({"tell-1": told}, locked_by)},
    )


def poison(evidence: Evidence) -> Evidence:
    message = Quarantined(id="q", queue="w", body="", reason="why", instance_id="", dequeue_count=6, time=NOW)
    return replace(evidence, quarantined=[message])


def other_kind(evidence: Evidence) -> Evidence:
    return with_row(evidence, name="tree")


PLANTED: dict[str, tuple[Callable[[Evidence], Evidence], set[Kind]]] = {
    "accepted and not there": (lambda it: replace(it, rows={}, logs={}), {Kind.MISSING}),
    "wrong output": (
        lambda it: replace(it, started=[Started(Order("chain-1", "chain", None, 3), Answer.ACCEPTED)]),
        {Kind.WRONG_OUTPUT},
    ),
    "wrong end": (
        lambda it: replace(it, started=[Started(Order("chain-1", "chain", None, 2, Ending.FAILS), Answer.ACCEPTED)]),
        {Kind.WRONG_END},
    ),
    "not over": (lambda it: with_log(it, chain_log()[:1]), {Kind.NOT_OVER}),
    "another kind": (other_kind, {Kind.STRAY, Kind.ROW}),
    "an outcome twice": (second_outcome, {Kind.OUTCOME_TWICE}),
    "no outcome": (no_outcome, {Kind.NO_OUTCOME}),
    "an outcome of nothing": (stray_outcome, {Kind.STRAY, Kind.NO_EFFECT}),
    "a message twice": (doubled_message, {Kind.MESSAGE_TWICE}),
    "a turn missing": (lost_turn, {Kind.GAP}),
    "ended twice": (second_end, {Kind.ENDED_TWICE}),
    "an execution missing": (lost_execution, {Kind.GAP}),
    "an execution that did not continue": (not_continued, {Kind.GAP}),
    "history gone": (lambda it: replace(it, logs={}), {Kind.GAP}),
    "row behind": (
        lambda it: with_row(it, status=RuntimeStatus.RUNNING, turn=0, output=None, completed_at=None),
        {Kind.NOT_OVER, Kind.ROW},
    ),
    "row with another time": (lambda it: with_row(it, updated_at=NOW), {Kind.ROW}),
    "an activity that did not run": (lambda it: replace(it, effects=[]), {Kind.NO_EFFECT}),
    "an activity that did not end": (lambda it: replace(it, effects=it.effects[:1]), {Kind.NO_EFFECT}),
    "a message left": (lambda it: replace(it, stranded={"control-00": 1}), {Kind.STRANDED}),
    "quarantine": (poison, {Kind.QUARANTINED}),
    "an entity that was not told": (lambda it: with_tell(it, [0, 1]), {Kind.LEDGER}),
    "an entity that was told twice": (lambda it: with_tell(it, [0, 1, 2, 2]), {Kind.LEDGER}),
    "an entity that was told in another order": (lambda it: with_tell(it, [0, 2, 1]), {Kind.LEDGER}),
    "a lock that is held": (lambda it: with_tell(it, [0, 1, 2], locked_by="tell-1"), {Kind.LEDGER}),
    "an entity that nobody told": (
        lambda it: replace(it, ledgers={"@ledger@a": Ledger({"nobody": [0]})}),
        {Kind.LEDGER},
    ),
    "an instance nobody started": (stray, {Kind.STRAY}),
    "a child with a wrong output": (wrong_child, {Kind.WRONG_OUTPUT}),
}


def test_what_is_right_has_no_finding() -> None:
    assert account(right()) == []
    assert account(with_tell(right(), [0, 1, 2])) == []


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_deviation_is_found(name: str) -> None:
    plant, kinds = PLANTED[name]
    assert {finding.kind for finding in account(plant(right()))} == kinds


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.UNANSWERED])
def test_a_start_that_was_not_accepted_may_be_absent(answer: Answer) -> None:
    assert account(Evidence([Started(Order("chain-1", "chain", None, 2), answer)])) == []


@pytest.mark.parametrize("answer", [Answer.REFUSED, Answer.UNANSWERED])
def test_a_start_that_was_not_accepted_and_is_there_must_be_right(answer: Answer) -> None:
    evidence = replace(right(), started=[Started(Order("chain-1", "chain", None, 3), answer)])
    assert [finding.kind for finding in account(evidence)] == [Kind.WRONG_OUTPUT]


def test_executions_are_one_instance() -> None:
    ending = ContinuedAsNew(input=value(None), execution_id="chain-1-1")
    first = turns("chain-1", (started("chain"), ending))
    following = (started("chain", previous="chain-1-0"), ExecutionCompleted(result=value(2)))
    assert account(with_log(right(), first, turns("chain-1", following, generation=1))) == []


def test_a_terminated_instance_may_leave_tasks_open() -> None:
    log = turns(
        "chain-1",
        (started("held"), TaskScheduled(id=0, name="add", input=value(1))),
        (ExecutionTerminated(reason="enough"),),
    )
    order = Order("chain-1", "held", None, "enough", Ending.IS_TERMINATED)
    assert account(replace(with_log(right(), log), started=[Started(order, Answer.ACCEPTED)])) == []


@dataclass(frozen=True)
class Received:
    """What a collector got, and of what."""

    output: list[int]
    keyed: bool = False
    paced: bool = False
    raised: tuple[int, ...] = (1, 1, 1)


@pytest.mark.parametrize(
    ("received", "words"),
    [
        (Received([0, 1, 2]), ""),
        (Received([2, 0, 1]), ""),
        (Received([2, 0, 1], paced=True), "came as"),
        (Received([0, 2]), "did not arrive"),
        (Received([0, 1, 1, 2]), "arrived 2 times"),
        (Received([0, 1, 1, 2], raised=(1, 2, 1)), ""),
        (Received([0, 1, 1, 2], raised=(1, 2, 1), paced=True), ""),
        (Received([0, 1, 1, 2], raised=(1, 2, 1), keyed=True), "arrived 2 times"),
        (Received([0, 1, 2, 7]), "never raised"),
    ],
)
def test_events(received: Received, words: str) -> None:
    order = Order("e", "collect", 3, events=3, keyed=received.keyed, paced=received.paced)
    events = [EventRaised(name="ping", input=value(number)) for number in received.output]
    log = turns("e", (started("collect"), *events))
    faults = list(
        event_faults(Started(order, raised=Counter(dict(enumerate(received.raised)))), received.output, [log])
    )
    assert bool(faults) == bool(words)
    assert all(words in text for text in faults)


def test_events_that_history_has_otherwise_are_found() -> None:
    order = Order("e", "collect", 1, events=1)
    log = turns("e", (started("collect"),))
    assert "history has []" in next(event_faults(Started(order, raised=Counter({0: 1})), [0], [log]))


def test_the_plan_depends_on_its_seed_alone() -> None:
    def first(seed: int) -> list[Order]:
        source = orders(seed)
        return [next(source) for _ in range(200)]

    assert first(1) == first(1) != first(2)
    assert len({order.kind for order in first(1)}) == 13
    assert make_plan(Settings(seed=1)) == make_plan(Settings(seed=1)) != make_plan(Settings(seed=2))
    assert make_plan(Settings(minutes=10)).outages == [200, 400]


def test_children_of_the_load_are_known() -> None:
    tree = child_order("c", "tree", {"width": 2, "depth": 1, "value": 3})
    assert tree is not None
    assert tree.output == 7 + 8
    assert child_order("c", "chain", {}) is None


def test_recovery_is_the_time_from_the_kill_to_the_outcome() -> None:
    at = NOW.timestamp()
    effects = [Effect("chain-1-0-0", 7, at, BEGIN), Effect("chain-1-0-0", 8, at + 0.9, BEGIN)]
    evidence = replace(right(), effects=effects)
    assert list(recoveries(evidence, [Kill(7, at + 0.25)])) == [0.75]
    assert list(recoveries(evidence, [Kill(7, at + 5)])) == []  # it had its outcome before
    assert list(recoveries(evidence, [Kill(9, at)])) == []  # another process


def test_quantiles() -> None:
    assert quantile([], 0.5) is None
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.5) == 2.0
    assert quantile([1.0, 2.0, 3.0, 4.0], 0.99) == 4.0


def test_growth_is_that_of_the_longest_life() -> None:
    samples = [Sample("host 0", 1, 5.0, 30.0, 9)]
    samples += [Sample("host 0", 2, age, 40.0 + age, 20) for age in (5.0, 25.0, 45.0)]
    assert resources(samples)["host 0"] == {"seconds": 45, "resident": [65.0, 65.0, 85.0], "files": [20, 20, 20]}
