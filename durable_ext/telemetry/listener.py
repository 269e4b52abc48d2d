"""Listens to the engine, and makes spans and measurements of what it hears."""

from __future__ import annotations

from collections.abc import Container, Generator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from time import perf_counter
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec
from opentelemetry import context, metrics, trace

from durable_ext.records.events import (
    ChildScheduled,
    EntityCalled,
    EntitySignaled,
    Event,
    EventSent,
    ExecutionFailed,
    ExecutionStarted,
    TaskScheduled,
)
from durable_ext.records.ids import is_entity
from durable_ext.telemetry import spans as made
from durable_ext.telemetry.contexts import incoming, kept_of
from durable_ext.telemetry.levels import Levels
from durable_ext.telemetry.measured import measured
from durable_ext.telemetry.measures import Measures, outcome_of
from durable_ext.telemetry.spans import Spans
from durable_ext.worker.telemetry import SILENCE, Counted, Readings, RunTold, Sending, TurnTold

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token
    from datetime import datetime
    from types import TracebackType

    from opentelemetry.trace import Span

    from durable_ext.providers.contract import Provider
    from durable_ext.records.entity_events import OperationRequested
    from durable_ext.records.failures import Failure
    from durable_ext.records.messages import Delivery, Message, RunActivity
    from durable_ext.records.trace import TraceContext
    from durable_ext.records.turns import Turn
    from durable_ext.telemetry.measures import Attributes
    from durable_ext.worker.items import Item
    from durable_ext.worker.state import SessionState

_Some = TypeVar("_Some", bound=Event)
_SCOPE = "durable_ext"
# What of a turn goes on from its span; a start without a trace begins one.
_TRACED = (TaskScheduled, ChildScheduled, EventSent, EntityCalled, EntitySignaled, ExecutionStarted)
_STATUSES = {"completed": "Completed", "failed": "Failed", "stopped": "Canceled"}


class OpenTelemetry:
    """A listener over a tracer and a meter. Providers given win over those of the process."""

    place = "durable_ext.telemetry.contexts:attached"

    def __init__(
        self,
        *,
        traces: bool = True,
        metrics: bool = True,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        meter = _meter(meter_provider) if metrics else None
        self.traces, self.measures = traces, metrics
        self._spans = Spans(trace.get_tracer(_SCOPE, tracer_provider=tracer_provider)) if traces else None
        self._measures = None if meter is None else Measures(meter)
        self._levels = None if meter is None else Levels(meter)

    def turn(self, state: SessionState, begins: Sequence[Event], items: Sequence[Item]) -> TurnTold:
        """Of an orchestration; what an entity does is told by its operations."""
        if is_entity(state.execution.instance_id):
            return SILENCE.turn(state, begins, items)
        span = None if self._spans is None else self._spans.turn(state, begins, items)
        return _Turn(span, self._measures, continued=not items)

    def activity(self, message: Message, body: RunActivity, attempt: int) -> RunTold:
        """An attempt at an activity."""
        repeated = message.resent or attempt > 1
        span = None if self._spans is None else self._spans.activity(message, body, attempt)

        def measure(outcome: Attributes, seconds: float) -> None:
            if self._measures is not None:
                self._measures.activity(body.name, outcome, seconds, repeated=repeated)

        return _Run(span, measure)

    def operation(self, entity_id: str, request: OperationRequested, *, known: Container[str]) -> RunTold:
        """An operation of an entity."""
        span = None if self._spans is None else self._spans.operation(entity_id, request)

        def measure(outcome: Attributes, seconds: float) -> None:
            if self._measures is not None:
                self._measures.operation(entity_id, known, outcome, seconds)

        return _Run(span, measure)

    @contextmanager
    def sending(self, what: Sending, name: str, instance_id: str) -> Generator[TraceContext | None]:
        """Inside, the span of what is sent is the current one."""
        if self._spans is None:
            yield None
        else:
            span = self._spans.sending(what, name, instance_id)
            with trace.use_span(span, end_on_exit=True, record_exception=False):
                yield kept_of(span)
        if self._measures is not None:
            self._measures.sent(what)

    def incoming(self, headers: Mapping[str, str]) -> AbstractContextManager[object]:
        """Inside, the caller's span is the current one."""
        return nullcontext() if self._spans is None else incoming(headers)

    def received(self, delivery: Delivery, now: datetime) -> None:
        """Measures how long messages waited."""
        if self._measures is not None:
            self._measures.received(delivery, now)

    def count(self, what: Counted, why: str = "") -> None:
        """Counts."""
        if self._measures is not None:
            self._measures.count(what, why)

    def watch(self, readings: Readings) -> None:
        """Shows levels as gauges."""
        if self._levels is not None:
            self._levels.add(readings)

    def measured(self, provider: Provider) -> Provider:
        """Measures storage calls."""
        return provider if self._measures is None else measured(provider, self._measures)


def _meter(provider: metrics.MeterProvider | None) -> metrics.Meter:
    return metrics.get_meter(_SCOPE, meter_provider=provider)


class _Turn:
    """A turn of an orchestration. Its span ends with the commit; without one, nobody sees it."""

    def __init__(self, span: Span | None, measures: Measures | None, *, continued: bool) -> None:
        self._span = span
        self._measures = measures
        self._continued = continued
        self._began = perf_counter()

    def stamped(self, events: tuple[Event, ...]) -> tuple[Event, ...]:
        return _stamped(events, self._span)

    @contextmanager
    def committed(self, turn: Turn, state: SessionState) -> Generator[None]:
        if self._measures is not None:
            self._measures.turn(turn, state, perf_counter() - self._began, continued=self._continued)
        span = self._span
        if span is None:
            yield
            return
        status = "ContinuedAsNew" if state.to_continue is not None else state.row.status.value
        span.set_attribute(made.STATUS, status)
        if isinstance(state.ledger.ended, ExecutionFailed):
            made.fail(span, state.ledger.ended.failure)
        with trace.use_span(span, end_on_exit=True):
            yield


class _Run:
    """A run of the user's code."""

    def __init__(self, span: Span | None, measure: Callable[[Attributes, float], None]) -> None:
        self._span = span
        self._measure = measure
        self._failure: Failure | None = None
        self._has_ended = False
        self._began = perf_counter()
        self._token: Token[context.Context] | None = None

    @property
    def trace(self) -> TraceContext | None:
        return None if self._span is None else kept_of(self._span)

    def __enter__(self) -> Self:
        if self._span is not None:
            self._token = context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        outcome = outcome_of(self._failure, stopped=not self._has_ended)
        self._measure(outcome, perf_counter() - self._began)
        span = self._span
        if span is None:
            return
        if self._token is not None:
            context.detach(self._token)
        span.set_attribute(made.STATUS, _STATUSES[str(outcome["durable.outcome"])])
        if self._failure is not None:
            made.fail(span, self._failure)
        span.end()

    def ended(self, failure: Failure | None) -> None:
        self._failure, self._has_ended = failure, True

    def stamped(self, events: tuple[_Some, ...]) -> tuple[_Some, ...]:
        return _stamped(events, self._span)


def _stamped(events: tuple[_Some, ...], span: Span | None) -> tuple[_Some, ...]:
    kept = None if span is None else kept_of(span)
    if kept is None:
        return events
    return tuple(_with_span(event, kept) for event in events)


def _with_span(event: _Some, kept: TraceContext) -> _Some:
    if isinstance(event, _TRACED) and event.trace is None:
        return msgspec.structs.replace(event, trace=kept)
    return event
