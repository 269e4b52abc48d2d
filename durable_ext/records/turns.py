"""A turn: new messages in, decisions out, one commit. History is a log of turns (design section 5)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

import msgspec

from durable_ext.records.events import Event, ExecutionRewound, Input, Terminal
from durable_ext.records.instance import Execution


class Turn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One committed turn, or the one about to be.

    `message_ids` are the messages the turn consumed, `trigger_id` the message answerable for what the turn sends
    (P5), `commit_id` tells our own insert from somebody else's when a response was lost (P2). One without events closes
    its trigger.
    """

    execution: Execution
    number: int
    events: tuple[Event, ...]
    message_ids: tuple[str, ...]
    trigger_id: str
    time: datetime
    commit_id: str

    @property
    def is_terminal(self) -> bool:
        """Whether the execution ends with this turn. A terminal event is always the last one."""
        return bool(self.events) and isinstance(self.events[-1], Terminal)

    @property
    def closes_trigger(self) -> bool:
        """Whether it says only that its trigger is settled: who had that before loses every turn to come (P6)."""
        return not self.events


def rewound_in(turn: Turn) -> ExecutionRewound | None:
    """The rewind with which an execution began, when this is its turn 0."""
    if turn.number or len(turn.events) < 2:
        return None
    second = turn.events[1]
    return second if isinstance(second, ExecutionRewound) else None


def placed(turn: Turn) -> Iterable[tuple[int, Event]]:
    """The events of a turn with their places. Those of a past that a rewind keeps stand between it and the rest."""
    rewound = rewound_in(turn)
    return enumerate(turn.events if rewound is None else _with_past(turn, rewound))


def sent_before(turn: Turn) -> frozenset[int]:
    """Places of the past that a rewind keeps for which it sends nothing: the execution that failed has done so."""
    rewound = rewound_in(turn)
    if rewound is None:
        return frozenset()
    end = 1 + sum(len(past.events) for past in rewound.past)
    return frozenset(range(end)).difference(rewound.reopened, rewound.decided)


def _with_past(turn: Turn, rewound: ExecutionRewound) -> Iterator[Event]:
    yield from turn.events[:2]
    for past in rewound.past:
        # The first one begins with the start, which is there already.
        yield from past.events[1:] if past is rewound.past[0] else past.events
    yield from turn.events[2:]


def expanded(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """The turns with a kept past as turns of its own, each at its time, for a replay. Expanding twice is harmless."""
    return tuple(part for turn in turns for part in _parts(turn))


def _parts(turn: Turn) -> Iterator[Turn]:
    rewound = rewound_in(turn)
    if rewound is None:
        yield turn
        return
    marker = msgspec.structs.replace(rewound, past=(), reopened=(), decided=())
    yield msgspec.structs.replace(turn, events=(marker,))
    rest = turn.events[2:]
    # A decision at once belongs to the last input of the past; an input came with the rewind itself.
    belongs = () if rest and isinstance(rest[0], Input) else rest
    for past in rewound.past:
        last = past is rewound.past[-1]
        yield msgspec.structs.replace(turn, time=past.time, events=past.events + belongs if last else past.events)
    if rest and not belongs:
        yield msgspec.structs.replace(turn, events=rest)
