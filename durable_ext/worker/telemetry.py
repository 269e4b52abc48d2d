"""What the engine tells of itself, to whoever listens. By default nobody does, and it costs next to nothing.

The engine says in its own words what begins and what comes of it: a turn, an activity, an operation, a delivery. Which
spans and which measurements that makes, and with which library, is the listener's: durable_ext.telemetry has one. A
listener raises nothing, waits for nothing, and is told no input and no output of a user.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from enum import StrEnum
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

import msgspec

from durable_ext.records.trace import TraceContext

if TYPE_CHECKING:
    from datetime import datetime

    from durable_ext.providers.contract import Provider
    from durable_ext.records.entity_events import OperationRequested
    from durable_ext.records.events import Event
    from durable_ext.records.failures import Failure
    from durable_ext.records.messages import Delivery, Message, RunActivity
    from durable_ext.records.turns import Turn
    from durable_ext.worker.items import Item
    from durable_ext.worker.state import SessionState

_Some = TypeVar("_Some", bound="Event")


class Sending(StrEnum):
    """What a client sends."""

    START = "create_orchestration"
    EVENT = "orchestration_event"
    SIGNAL = "signal_entity"


class Counted(StrEnum):
    """What goes wrong, or takes a detour, and is only counted."""

    QUARANTINED = "durable.message.quarantined"
    GIVEN_UP = "durable.message.given_up"
    PUT_OFF = "durable.message.put_off"
    LOST_TURN = "durable.turn.lost"
    BROKEN_SESSION = "durable.session.broken"
    MISHAP = "durable.mishap"


class Level(StrEnum):
    """What has a level at any time."""

    SESSIONS = "durable.session.open"
    KEPT = "durable.instance.kept"
    ACTIVITIES = "durable.activity.active"
    SLOTS = "durable.activity.slots"
    PROCESSES = "durable.activity.processes"
    HELD = "durable.message.held"
    OLDEST_WORK = "durable.queue.oldest_age"
    QUEUE_ROOM = "durable.queue.held"


class Reading(msgspec.Struct, frozen=True):
    """One level as it is now."""

    level: Level
    value: float
    attributes: Mapping[str, str] = {}


Readings = Callable[[], Iterable[Reading]]


class TurnTold(Protocol):
    """A turn under way. One that is never committed has not been."""

    def stamped(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        """The events with the span of this turn, where what they lead to goes on from it."""
        ...

    def committed(self, turn: Turn, state: SessionState) -> AbstractContextManager[object]:
        """The turn is history. Inside, what the code logged is written."""
        ...


class RunTold(Protocol):
    """A run of the user's code, from entering it to leaving it. Inside, it is the current span."""

    @property
    def trace(self) -> TraceContext | None:
        """The span of the run."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None: ...

    def ended(self, failure: Failure | None) -> None:
        """The code is done. Not called: it was stopped, or its worker was."""
        ...

    def stamped(self, events: tuple[_Some, ...]) -> tuple[_Some, ...]:
        """What the code decided, with the span of the run."""
        ...


class Telemetry(Protocol):
    """Who listens. `measures`: whether measurements are wanted that cost something to take. `place`: where a child
    process finds what makes a span current, `module:name`; empty: nowhere."""

    measures: bool
    place: str

    def turn(self, state: SessionState, begins: Sequence[Event], items: Sequence[Item]) -> TurnTold:
        """A turn begins with these events, from these messages; none: the next execution follows by itself."""
        ...

    def activity(self, message: Message, body: RunActivity, attempt: int) -> RunTold:
        """An activity is run; `attempt` counts deliveries."""
        ...

    def operation(self, entity_id: str, request: OperationRequested, *, known: Container[str]) -> RunTold:
        """An operation of an entity is run; `known` are the names of those that are registered here."""
        ...

    def sending(self, what: Sending, name: str, instance_id: str) -> AbstractContextManager[TraceContext | None]:
        """A client sends something; what is sent goes on from the span that this gives."""
        ...

    def incoming(self, headers: Mapping[str, str]) -> AbstractContextManager[object]:
        """An HTTP request is dealt with: inside, its `traceparent` counts unless a span is current already."""
        ...

    def received(self, delivery: Delivery, now: datetime) -> None:
        """A delivery came; asked for only of who measures."""
        ...

    def count(self, what: Counted, why: str = "") -> None:
        """Something happened; `why` is a kind, one of few."""
        ...

    def watch(self, readings: Readings) -> None:
        """Read these levels whenever somebody asks, for as long as who has them lives. Called from other threads."""
        ...

    def measured(self, provider: Provider) -> Provider:
        """The provider, with its calls measured if they are to be."""
        ...


class _Untold:
    """A turn, a run or a sending of which nobody is told."""

    trace: TraceContext | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None

    def ended(self, failure: Failure | None) -> None:
        return None

    def stamped(self, events: tuple[_Some, ...]) -> tuple[_Some, ...]:
        return events

    def committed(self, turn: Turn, state: SessionState) -> Self:
        return self


class _Unsent:
    """A sending of which nobody is told."""

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return None


_UNTOLD, _UNSENT = _Untold(), _Unsent()


class Silence:
    """Nobody listens."""

    measures = False
    place = ""

    def turn(self, state: SessionState, begins: Sequence[Event], items: Sequence[Item]) -> _Untold:
        return _UNTOLD

    def activity(self, message: Message, body: RunActivity, attempt: int) -> _Untold:
        return _UNTOLD

    def operation(self, entity_id: str, request: OperationRequested, *, known: Container[str]) -> _Untold:
        return _UNTOLD

    def sending(self, what: Sending, name: str, instance_id: str) -> _Unsent:
        return _UNSENT

    def incoming(self, headers: Mapping[str, str]) -> _Unsent:
        return _UNSENT

    def received(self, delivery: Delivery, now: datetime) -> None:
        return None

    def count(self, what: Counted, why: str = "") -> None:
        return None

    def watch(self, readings: Readings) -> None:
        return None

    def measured(self, provider: Provider) -> Provider:
        return provider


SILENCE: Telemetry = Silence()
