"""Which measurements there are: counters, histograms and levels, named and with units as OpenTelemetry has them.

Attributes have few values: names of what the app has and calls, outcomes, kinds of failure. Never an id. The name of an
entity, which anybody may make up from outside, counts only when it is registered.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from functools import partial
from typing import TYPE_CHECKING

from durable_ext.records import events
from durable_ext.records.entity_id import EntityId
from durable_ext.worker.telemetry import Counted, Sending

if TYPE_CHECKING:
    from datetime import datetime

    from opentelemetry.metrics import Meter

    from durable_ext.records.failures import Failure
    from durable_ext.records.messages import Delivery
    from durable_ext.records.turns import Turn
    from durable_ext.worker.state import SessionState

Attributes = dict[str, str | bool]

ORCHESTRATION = "durable.orchestration.name"
ORCHESTRATION_VERSION = "durable.orchestration.version"
ACTIVITY = "durable.activity.name"
ENTITY = "durable.entity.name"
OUTCOME = "durable.outcome"
KIND = "durable.failure.kind"
ERROR = "error.type"
REPEATED = "durable.activity.repeated"
QUEUE = "durable.queue.kind"
CALL = "durable.storage.operation"
SENT = "durable.client.operation"
WHY = "durable.reason"

_NOT_REGISTERED = "_not_registered"
_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
_LONG = (0.1, 1, 10, 60, 600, 3600, 6 * 3600, 86400, 7 * 86400, 30 * 86400)
_NUMBERS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000)

_OWN = "durable_ext.errors."
_KINDS = {
    "configuration": ("ConfigurationError", "VersionMismatchError", "NonDeterminismError", "NotDurableError"),
    "infrastructure": ("StorageError", "ActivityProcessError", "ActivityOutcomeUnknownError"),
    "timeout": ("ActivityTimedOutError",),
}


class Measures:
    """The instruments."""

    def __init__(self, meter: Meter) -> None:
        count = meter.create_counter
        seconds = partial(meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=_SECONDS)
        number = partial(meter.create_histogram, explicit_bucket_boundaries_advisory=_NUMBERS)
        long = partial(meter.create_histogram, unit="s", explicit_bucket_boundaries_advisory=_LONG)
        self._started = count("durable.orchestration.started", "{orchestration}", "Orchestrations that began")
        self._ended = count("durable.orchestration.ended", "{orchestration}", "Orchestrations that ended, by outcome")
        self._continued = count("durable.orchestration.continued_as_new", "{execution}", "Executions continued as new")
        self._children = count("durable.orchestration.children", "{orchestration}", "Children that were asked for")
        self._life = long("durable.orchestration.duration", description="From start to end")
        self._turns_taken = number("durable.orchestration.turns", "{turn}", "Turns of an execution that ended")
        self._history = number("durable.orchestration.history", "{event}", "Events of an execution that ended")
        self._turns = count("durable.turn.committed", "{turn}", "Turns committed")
        self._turn_time = seconds("durable.turn.duration", description="From a turn's inputs to its commit")
        self._executions = count("durable.activity.executions", "{attempt}", "Attempts at activities, by outcome")
        self._activity_time = seconds("durable.activity.duration", description="Of an attempt")
        self._retries = count("durable.retries", "{attempt}", "Attempts that retry policies asked for")
        self._operations = count("durable.entity.operations", "{operation}", "Operations of entities, by outcome")
        self._operation_time = seconds("durable.entity.operation.duration", description="Of an operation")
        self._waited = seconds("durable.message.wait", description="In a queue, since the message was due")
        self._calls = seconds("durable.storage.duration", description="Of a storage call")
        self._sent = count("durable.client.sent", "{message}", "Starts, events and signals of clients")
        self._counted = {what: count(what.value, _UNITS[what]) for what in Counted}

    def turn(self, turn: Turn, state: SessionState, seconds: float, *, continued: bool) -> None:
        """A turn was committed; `continued`: it follows a continue-as-new by itself."""
        attributes = _of_orchestration(state)
        self._turns.add(1, attributes)
        self._turn_time.record(seconds, attributes)
        if turn.number == 0 and not continued:
            self._started.add(1, attributes)
        for event in turn.events:
            match event:
                case events.TaskScheduled() if event.attempt > 1:
                    self._retries.add(1, {ACTIVITY: event.name})
                case events.ChildScheduled():
                    self._children.add(1, attributes)
                    if event.attempt > 1:
                        self._retries.add(1, {ORCHESTRATION: event.name})
                case _:
                    pass
        if state.ledger.ended is not None:
            self._end(turn, state, attributes)

    def _end(self, turn: Turn, state: SessionState, attributes: Attributes) -> None:
        ledger = state.ledger
        self._turns_taken.record(ledger.turns, attributes)
        self._history.record(sum(len(recorded.events) for recorded in ledger.recorded), attributes)
        match ledger.ended:
            case events.ContinuedAsNew():
                self._continued.add(1, attributes)
                return
            case events.ExecutionFailed() as ended:
                outcome = attributes | _outcome(ended.failure)
            case events.ExecutionTerminated():
                outcome = attributes | {OUTCOME: "terminated"}
            case _:
                outcome = attributes | _outcome(None)
        self._ended.add(1, outcome)
        started = ledger.started
        if started is not None:
            began = max(started.created_at, state.row.scheduled_start or started.created_at)
            self._life.record(max((turn.time - began).total_seconds(), 0.0), attributes | {OUTCOME: outcome[OUTCOME]})

    def activity(self, name: str, outcome: Attributes, seconds: float, *, repeated: bool) -> None:
        """An attempt has ended."""
        self._executions.add(1, {ACTIVITY: name, REPEATED: repeated, **outcome})
        self._activity_time.record(seconds, {ACTIVITY: name, OUTCOME: outcome[OUTCOME]})

    def operation(self, entity_id: str, known: Container[str], outcome: Attributes, seconds: float) -> None:
        """An operation has ended."""
        name = EntityId.parse(entity_id).name
        attributes: Attributes = {ENTITY: name if name in known else _NOT_REGISTERED}
        self._operations.add(1, attributes | outcome)
        self._operation_time.record(seconds, attributes | {OUTCOME: outcome[OUTCOME]})

    def received(self, delivery: Delivery, now: datetime) -> None:
        """A delivery came: its messages waited since they were due."""
        for message in delivery.messages:
            waited = (now - (message.due or message.sent_at)).total_seconds()
            self._waited.record(max(waited, 0.0), {QUEUE: "work" if message.is_work_item else "control"})

    def stored(self, call: str, seconds: float, error: BaseException | None) -> None:
        """A storage call has ended."""
        attributes = {CALL: call}
        self._calls.record(seconds, attributes if error is None else attributes | {ERROR: type(error).__name__})

    def sent(self, what: Sending) -> None:
        """A client sent something."""
        self._sent.add(1, {SENT: what.value})

    def count(self, what: Counted, why: str) -> None:
        """Something is only counted."""
        self._counted[what].add(1, {WHY: why} if why else None)


_UNITS: Mapping[Counted, str] = {
    Counted.QUARANTINED: "{message}",
    Counted.GIVEN_UP: "{message}",
    Counted.PUT_OFF: "{message}",
    Counted.LOST_TURN: "{turn}",
    Counted.BROKEN_SESSION: "{session}",
    Counted.MISHAP: "{error}",
}


def outcome_of(failure: Failure | None, *, stopped: bool) -> Attributes:
    """How a run of the user's code ended."""
    return {OUTCOME: "stopped"} if stopped else _outcome(failure)


def _outcome(failure: Failure | None) -> Attributes:
    if failure is None:
        return {OUTCOME: "completed"}
    return {OUTCOME: "failed", KIND: kind_of(failure), ERROR: failure.type}


def kind_of(failure: Failure) -> str:
    """Whose failure it is: of the app's code, of how the app is set up, of what lies below, of a time limit; poison."""
    if failure.type == "Poison":
        return "poison"
    if failure.type.startswith(_OWN):
        for kind, names in _KINDS.items():
            if any(failure.is_a(_OWN + name) for name in names):
                return kind
    return "application"


def _of_orchestration(state: SessionState) -> Attributes:
    attributes: Attributes = {ORCHESTRATION: state.row.name}
    if state.row.version:
        attributes[ORCHESTRATION_VERSION] = state.row.version
    return attributes
