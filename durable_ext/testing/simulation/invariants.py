"""What must hold when all is quiet. Each check returns what is wrong, in words; together they are `wrong`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from itertools import pairwise

import msgspec

from durable_ext.providers.azure_storage.names import escape
from durable_ext.records import events
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.turns import Turn, expanded, placed, rewound_in
from durable_ext.replay.fold import project
from durable_ext.testing.simulation.case import Case, Planned
from durable_ext.testing.simulation.entity_invariants import Instance, wrong_entities
from durable_ext.testing.simulation.expectation import Expected, events_of, expected, matches
from durable_ext.testing.simulation.family_invariants import wrong_families
from durable_ext.testing.simulation.ledger import Runs
from durable_ext.testing.simulation.outside import Outside
from durable_ext.testing.simulation.storage import Reach, Store, rows_of

# A work item may be delivered again this long after its instance was purged, not later.
_LATE_RUN = 3600.0
_MOST_GENERATIONS = 100
_QUESTIONS = events.TaskScheduled | events.TimerCreated | events.ChildScheduled | events.EntityCalled | events.LockAsked
_RESULTS = events.TaskCompleted | events.ChildCompleted | events.OperationCompleted
_NO_ANSWERS = events.TaskCancelled | events.LockLeft
# How an instance fails whose history was purged while it was rewound.
_GONE = "is gone: it was purged"
# Rows of the History table that belong to no instance.
_OF_THE_HUB = "^"


class Remains(msgspec.Struct, frozen=True, kw_only=True):
    """What is left at the end of a run. `swept`: long enough afterwards for the janitor to have taken tombstones."""

    case: Case
    reach: Reach
    store: Store
    outside: Outside
    runs: Runs
    open_sessions: int
    swept: bool


async def wrong(remains: Remains) -> list[str]:
    """All that is wrong."""
    found = [f"no answer, however often it was asked: {order}" for order in remains.outside.given_up]
    instances = await _instances(remains)
    found += _missing(remains, instances)
    for instance in instances:
        for check in CHECKS:
            found += [f"{instance.id}: {text}" for text in check(instance)]
        found += [f"{instance.id}: {text}" for text in await _output(remains, instance)]
        found += [f"{instance.id}: {text}" for text in unrun(instance, remains.runs)]
    found += await wrong_entities(remains.reach.provider, instances, 1 + _most_rewinds(remains, instances))
    found += wrong_families(instances)
    for check in HUB_CHECKS:
        found += await check(remains)
    found += _leftovers(remains, {instance.id for instance in instances})
    return found


def _most_rewinds(remains: Remains, instances: Sequence[Instance]) -> int:
    """How often something was rewound of which not all executions are there any more."""
    purged, is_pruned = remains.outside.purged, any(one.pruned for one in instances)
    return max((len(one.rewinds) for one in remains.case.load if is_pruned or one.id in purged), default=0)


async def _instances(remains: Remains) -> list[Instance]:
    planned = {one.id: one for one in remains.case.load}
    copied = {
        _text(inline(msgspec.json.encode(one.programme))): one
        for one in remains.case.load
        if any(order.kind == "copy" for order in one.orders)
    }
    return [
        Instance(
            row=row,
            executions=await _executions(remains, row),
            planned=planned.get(row.instance_id) or _original(row, copied),
        )
        for row in await rows_of(remains.reach.catalog)
    ]


def _original(row: InstanceRow, copied: Mapping[str, Planned]) -> Planned | None:
    """What an instance without a parent that nobody planned is a copy of; None when its input is too long to see."""
    if row.parent is not None or row.input is None or is_entity(row.instance_id):
        return None
    return copied.get(_text(row.input))


async def _executions(remains: Remains, row: InstanceRow) -> tuple[tuple[Turn, ...], ...]:
    kept: list[tuple[Turn, ...]] = []
    turns = tuple(await remains.reach.catalog.history(row.instance_id))
    while turns and len(kept) < _MOST_GENERATIONS:
        kept.append(turns)
        previous = next(
            (event.previous for event in turns[0].events if isinstance(event, events.ExecutionStarted)), None
        )
        turns = () if previous is None else tuple(await remains.reach.catalog.history(row.instance_id, previous))
    return tuple(reversed(kept))


# Of one instance.


def unended(instance: Instance) -> Iterator[str]:
    """Every instance ends, in a way that it may."""
    status = instance.row.status
    if not (status.is_terminal or is_entity(instance.id)):
        yield f"it is {status.value}"


def misread(instance: Instance) -> Iterator[str]:
    """The row equals the fold of history."""
    if not instance.executions:
        yield "it has no history"
        return
    folded = project(None, instance.executions[-1])
    row = instance.row
    if folded is None:
        yield "its history does not begin with its start"
    elif (row.status, row.position, row.output, row.execution) != (
        folded.status,
        folded.position,
        folded.output,
        folded.execution,
    ):
        yield f"the row says {row.status.value} at {row.position}, history {folded.status.value} at {folded.position}"


def uneven(instance: Instance) -> Iterator[str]:
    """Each log begins with turn 0 and has no gap; nothing follows its end."""
    for turns in instance.executions:
        if [turn.number for turn in turns] != list(range(len(turns))):
            yield f"a log has the turns {[turn.number for turn in turns]}"
        if any(turn.is_terminal for turn in turns[:-1]):
            yield "an execution went on after its end"


def answered_twice(instance: Instance) -> Iterator[str]:
    """Every outcome stands once in history, behind its decision."""
    for turns in instance.executions:
        asked: set[int] = set()
        answers: Counter[int] = Counter()
        for event in _events(turns):
            task_id = getattr(event, "task_id", None)
            if isinstance(event, _QUESTIONS):
                asked.add(event.id)
            elif task_id is not None and not isinstance(event, _NO_ANSWERS):
                answers[task_id] += 1
                if task_id not in asked:
                    yield f"an outcome of task {task_id}, which was never asked for"
        yield from (f"{count} outcomes of task {task_id}" for task_id, count in answers.items() if count > 1)


def consumed_twice(instance: Instance) -> Iterator[str]:
    """No message is consumed twice, in whatever execution."""
    consumed = Counter(message for turns in instance.executions for turn in turns for message in turn.message_ids)
    yield from (f"message {message} was consumed {count} times" for message, count in consumed.items() if count > 1)


def backwards(instance: Instance) -> Iterator[str]:
    """Time never runs backwards within an execution."""
    for turns in instance.executions:
        times = [turn.time for turn in expanded(turns) if not _is_mark(turn)]
        if times != sorted(times):
            yield "its time runs backwards"


def kept_wrongly(instance: Instance) -> Iterator[str]:
    """What a rewind keeps was in the execution before it."""
    for before, turns in pairwise(instance.executions):
        known = Counter(_result(event) for event in _events(before) if isinstance(event, _RESULTS))
        kept = Counter(_result(event) for event in _kept(turns) if isinstance(event, _RESULTS))
        yield from (f"{result} is kept, and was not there" for result in kept - known)


CHECKS: tuple[Callable[[Instance], Iterator[str]], ...] = (
    unended,
    misread,
    uneven,
    answered_twice,
    consumed_twice,
    backwards,
    kept_wrongly,
)


def unrun(instance: Instance, runs: Runs) -> Iterator[str]:
    """An activity ran for each result that history has."""
    for turns in instance.executions:
        execution = turns[0].execution.execution_id
        # What a rewind keeps ran for the execution before it.
        for event in (event for turn in turns for event in turn.events):
            if not isinstance(event, events.TaskCompleted):
                continue
            key = (instance.id, execution, event.task_id)
            if not runs.ended[key] and key not in runs.stood_in:
                yield f"task {event.task_id} has a result, and never ran"
        for event in _kept(turns):
            if isinstance(event, events.TaskCompleted) and runs.begun[instance.id, execution, event.task_id]:
                yield f"task {event.task_id} had a result before the rewind, and ran again"


def taken_twice(planned: Planned, turns: Sequence[Turn]) -> Iterator[str]:
    """Each event stands in the history of an execution once. Their order shows in the output."""
    found: dict[str, list[str]] = {}
    for event in _events(turns):
        if isinstance(event, events.EventRaised):
            found.setdefault(event.name, []).append(_text(event.input))
    for name, values in events_of(planned).items():
        texts = [_text(inline(msgspec.json.encode(value))) for value in values]
        got = [text for text in found.get(name, ()) if text in texts]
        if len(got) != len(set(got)):
            yield f"event {name!r} was taken more than once: {got}"


def _text(payload: Payload) -> str:
    """The payload, or the name of the blob that has it: blobs are named by their content."""
    return payload.data.decode() if payload.blob is None else payload.blob.rpartition("/")[2]


def _events(turns: Sequence[Turn]) -> Iterator[events.Event]:
    return (event for turn in turns for _, event in placed(turn))


def _kept(turns: Sequence[Turn]) -> Iterator[events.Event]:
    """What an execution has of those before a rewind."""
    rewound = rewound_in(turns[0]) if turns else None
    return iter(()) if rewound is None else (event for past in rewound.past for event in past.events)


def _is_mark(turn: Turn) -> bool:
    """Whether it says only that there was a rewind; its time is that of the rewind, and the past comes after it."""
    return len(turn.events) == 1 and isinstance(turn.events[0], events.ExecutionRewound)


def _result(event: _RESULTS) -> tuple[str, str]:
    return type(event).__name__, _text(event.result)


async def _output(remains: Remains, instance: Instance) -> list[str]:
    row = instance.row
    if instance.planned is None:
        return [] if row.status is not RuntimeStatus.PENDING else ["a child never began"]
    wanted = expected(instance.planned)
    if wanted.may_be_gone and row.failure is not None and _GONE in row.failure.message:
        return []
    if row.status not in wanted.statuses:
        return [f"it is {row.status.value}, not {_names(wanted)}: {row.failure}"]
    found = list(taken_twice(instance.planned, instance.executions[-1] if instance.executions else ()))
    if row.status is RuntimeStatus.COMPLETED and row.output is not None:
        blob = row.output.blob is not None
        data = await remains.reach.provider.get_payload(row.output) if blob else row.output.data
        output = msgspec.json.decode(data)
        if not matches(wanted.output, output):
            found.append(f"the output is {_short(output)}, not {_short(wanted.output)}")
    elif row.status is RuntimeStatus.FAILED and (row.failure is None or row.failure.message != wanted.message):
        found.append(f"it failed of {row.failure}")
    return found


def _names(wanted: Expected) -> str:
    return " or ".join(sorted(status.value for status in wanted.statuses))


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 400 else f"{text[:400]}..."


# Of the hub.


def _missing(remains: Remains, instances: Sequence[Instance]) -> list[str]:
    present = {instance.id for instance in instances}
    purged = remains.outside.purged
    found = [f"{one.id}: it is gone" for one in remains.case.load if one.id not in present and one.id not in purged]
    again = remains.outside.again
    return found + [f"{one}: it came back after its purge" for one in purged if one in present and one not in again]


async def stranded(remains: Remains) -> list[str]:
    """No message is left in a queue."""
    queued = await remains.store.queued()
    return [f"{queued} messages are left in the queues"] if queued else []


async def quarantined(remains: Remains) -> list[str]:
    """Nothing was given up."""
    kept = await remains.reach.catalog.list_quarantined()
    return [f"quarantined: {message.instance_id} {message.id}: {message.reason}" for message in kept]


async def unclosed(remains: Remains) -> list[str]:
    """No session is open."""
    return [f"{remains.open_sessions} sessions are still open"] if remains.open_sessions else []


async def begun_twice(remains: Remains) -> list[str]:
    """What may run once at most did."""
    begun = remains.runs.begun
    return [
        f"{key[0]}: task {key[2]} may be begun once and was {begun[key]} times"
        for key in sorted(remains.runs.once)
        if begun[key] > 1
    ]


async def ran_astray(remains: Remains) -> list[str]:
    """Activities ran where their tag is taken."""
    return [f"{key[0]}: task {key[2]} ran where its tag is not taken" for key in remains.runs.astray]


async def ran_late(remains: Remains) -> list[str]:
    """No activity of a purged instance runs long after its purge."""
    purged, again = remains.outside.purged, remains.outside.again
    return [
        f"{instance_id}: an activity ran {last.timestamp() - purged[instance_id]:.0f} s after the purge"
        for instance_id, last in remains.runs.last.items()
        if instance_id not in again and last.timestamp() - purged.get(instance_id, last.timestamp()) > _LATE_RUN
    ]


HUB_CHECKS: tuple[Callable[[Remains], Awaitable[list[str]]], ...] = (
    stranded,
    quarantined,
    unclosed,
    begun_twice,
    ran_astray,
    ran_late,
)


def _leftovers(remains: Remains, present: set[str]) -> list[str]:
    """Once tombstones are swept, every row of history belongs to an instance that is there."""
    if not remains.swept:
        return []
    present = {escape(one) for one in present}
    keys = Counter(str(row["PartitionKey"]) for row in remains.store.rows())
    strays = {key: count for key, count in keys.items() if key not in present and not key.startswith(_OF_THE_HUB)}
    return [f"{count} rows of {key} are left in history" for key, count in strays.items()]
