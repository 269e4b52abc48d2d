"""How long instances of a soak waited for nothing: from when something was due to the turn that has it.

What there is to do takes a second or two in this load, so the rest of that time nobody did it.
"""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.soak.evidence import Evidence, Log
from durable_ext.records.events import (
    ChildCompleted,
    ChildFailed,
    ChildScheduled,
    TaskCompleted,
    TaskFailed,
    TaskScheduled,
    TimerCreated,
    TimerFired,
)

# No instance may wait for nothing for more seconds.
LONGEST_WAIT = 120.0


def longest_wait(evidence: Evidence) -> tuple[float, str]:
    """The seconds of the longest wait, and what waited."""
    return max(waits(evidence), default=(0.0, ""))


def waits(evidence: Evidence) -> Iterator[tuple[float, str]]:
    """Every start, and every outcome of an activity, a timer or a child: how late it was recorded."""
    ended = {key: logs[-1][-1].time.timestamp() for key, logs in evidence.logs.items() if logs}
    for key, logs in evidence.logs.items():
        if logs and key in evidence.rows:
            yield logs[0][0].time.timestamp() - evidence.rows[key].created_at.timestamp(), f"{key}: its start"
        for log in logs:
            yield from ((late, f"{key}: {what}") for late, what in _outcomes(log, ended))


def _outcomes(log: Log, ended: dict[str, float]) -> Iterator[tuple[float, str]]:
    due: dict[int, float] = {}
    for turn in log:
        at = turn.time.timestamp()
        for event in turn.events:
            match event:
                case TaskScheduled():
                    due[event.id] = at
                case TimerCreated():
                    due[event.id] = max(at, event.fire_at.timestamp())
                case ChildScheduled():
                    due[event.id] = ended.get(event.instance_id, at)
                case TaskCompleted() | TaskFailed() | TimerFired() | ChildCompleted() | ChildFailed():
                    yield at - due.get(event.task_id, at), f"{type(event).__name__} of task {event.task_id}"
                case _:
                    pass
