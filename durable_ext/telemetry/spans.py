"""Which spans there are: names, kinds and attributes, as distributed tracing V2 of Durable Functions has them.

    create_orchestration:{name}     producer, of the client
    orchestration:{name}            server, one for each turn
    activity:{name}                 server, one for each attempt
    entity:{name}:{operation}       server, one for each operation
    orchestration_event:{event}     producer, of the client
    signal_entity:{operation}       producer, of the client

A replay makes none: only what is new begins one. Inputs, outputs and tracebacks stay out of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.trace import Link, Span, SpanKind, Status, StatusCode

from durable_ext.records.entity_id import EntityId
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.trace import TraceContext
from durable_ext.telemetry.contexts import context_of
from durable_ext.worker.telemetry import Sending

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import AttributeValue

    from durable_ext.records.entity_events import OperationRequested
    from durable_ext.records.events import Event
    from durable_ext.records.failures import Failure
    from durable_ext.records.messages import Message, RunActivity
    from durable_ext.worker.items import Item
    from durable_ext.worker.state import SessionState

TYPE = "durabletask.type"
NAME = "durabletask.task.name"
VERSION = "durabletask.task.version"
INSTANCE = "durabletask.task.instance_id"
EXECUTION = "durabletask.task.execution_id"
TASK = "durabletask.task.task_id"
STATUS = "durabletask.task.status"
TARGET = "durabletask.event.target_instance_id"
OPERATION = "durabletask.task.operation"
ATTEMPT = "durabletask.task.attempt"
TURN = "durabletask.task.turn"

_KINDS = {Sending.START: "orchestration", Sending.EVENT: "event", Sending.SIGNAL: "entity"}


class Spans:
    """Begins spans."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def turn(self, state: SessionState, begins: Sequence[Event], items: Sequence[Item]) -> Span:
        """The span of a turn, in the trace of its execution; linked to what sent the events that it takes."""
        first = begins[0] if begins else None
        started = first if isinstance(first, ExecutionStarted) else state.ledger.started
        parent = None if started is None else started.trace
        name = state.row.name
        attributes: dict[str, AttributeValue] = {
            TYPE: "orchestration",
            NAME: name,
            INSTANCE: state.execution.instance_id,
            EXECUTION: state.execution.execution_id,
            TURN: state.ledger.turns,
        }
        if started is not None and started.version:
            attributes[VERSION] = started.version
        links = _links([item.message.trace for item in items], parent)
        return self._begin(f"orchestration:{name}", parent, attributes, links)

    def activity(self, message: Message, body: RunActivity, attempt: int) -> Span:
        """The span of an attempt, below the turn that asked for it."""
        attributes: dict[str, AttributeValue] = {
            TYPE: "activity",
            NAME: body.name,
            INSTANCE: message.instance_id,
            EXECUTION: message.execution_id or "",
            TASK: body.task_id,
            ATTEMPT: attempt,
        }
        return self._begin(f"activity:{body.name}", message.trace, attributes)

    def operation(self, entity_id: str, request: OperationRequested) -> Span:
        """The span of an operation, below what called or signalled the entity."""
        name = EntityId.parse(entity_id).name
        attributes: dict[str, AttributeValue] = {
            TYPE: "entity",
            NAME: name,
            INSTANCE: entity_id,
            OPERATION: request.operation,
        }
        return self._begin(f"entity:{name}:{request.operation}", request.trace, attributes)

    def sending(self, what: Sending, name: str, instance_id: str) -> Span:
        """The span of what a client sends, below the caller's own."""
        target = INSTANCE if what is Sending.START else TARGET
        attributes = {TYPE: _KINDS[what], NAME: name, target: instance_id}
        return self._tracer.start_span(f"{what.value}:{name}", kind=SpanKind.PRODUCER, attributes=attributes)

    def _begin(
        self,
        name: str,
        parent: TraceContext | None,
        attributes: dict[str, AttributeValue],
        links: Sequence[Link] = (),
    ) -> Span:
        return self._tracer.start_span(
            name, context_of(parent), kind=SpanKind.SERVER, attributes=attributes, links=links
        )


def fail(span: Span, failure: Failure) -> None:
    """Mark a span as failed: the failure's type and message, and no more of it."""
    span.add_event("exception", {"exception.type": failure.type, "exception.message": failure.message})
    span.set_status(Status(StatusCode.ERROR, failure.summary))


def _links(sent_by: Sequence[TraceContext | None], parent: TraceContext | None) -> list[Link]:
    """To the spans of other messages than the start itself."""
    others = dict.fromkeys(kept for kept in sent_by if kept is not None and kept != parent)
    return [Link(trace.get_current_span(context_of(kept)).get_span_context()) for kept in others]
