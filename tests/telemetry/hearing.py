"""An app with a bit of everything, a listener that keeps what it is told in memory, and questions about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import TaskFailedError
from durable_ext.records.entity_id import EntityId
from durable_ext.telemetry.listener import OpenTelemetry
from durable_ext.testing.virtual_time import START
from durable_ext.worker.settings import WorkerSettings
from tests.scenarios.engine import Process
from tests.scenarios.two_stores import AnyHub

COUNTER = EntityId("counter", "one")
AUDITOR = EntityId("auditor", "one")
SECOND = START.replace(second=1) - START


class Ears:
    """A listener, and what it made."""

    def __init__(self, *, traces: bool = True, metrics: bool = True) -> None:
        self._exporter = InMemorySpanExporter()
        self.tracers = TracerProvider(shutdown_on_exit=False)
        self.tracers.add_span_processor(SimpleSpanProcessor(self._exporter))
        self._reader = InMemoryMetricReader()
        self._meters = MeterProvider([self._reader], shutdown_on_exit=False)
        self.listener = OpenTelemetry(
            traces=traces, metrics=metrics, tracer_provider=self.tracers, meter_provider=self._meters
        )

    def settings(self, *, sessions: bool = True) -> WorkerSettings:
        """Of a worker that tells this listener; without sessions every turn replays from scratch."""
        return WorkerSettings(telemetry=self.listener, sessions=sessions, activity_slots=8)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Those that ended, in this order."""
        return self._exporter.get_finished_spans()

    def forget(self) -> None:
        """Forget the spans."""
        self._exporter.clear()

    def named(self, prefix: str) -> list[ReadableSpan]:
        """Those whose name begins so."""
        return [span for span in self.spans if span.name.startswith(prefix)]

    def one(self, name: str) -> ReadableSpan:
        """The only one of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def parent_of(self, span: ReadableSpan) -> str:
        """The name of the span above; empty for a root."""
        above = span.parent
        if above is None:
            return ""
        (found,) = [other for other in self.spans if context_of(other).span_id == above.span_id]
        return found.name

    def tree(self) -> set[tuple[str, str]]:
        """Names with the names above them."""
        return {(self.parent_of(span), span.name) for span in self.spans}

    def traces(self) -> set[int]:
        """Ids of all traces."""
        return {context_of(span).trace_id for span in self.spans}

    def points(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """A measurement: its values (of a histogram the count) by attributes."""
        return {
            tuple(sorted(dict[str, Any](point.attributes or {}).items())): point.count
            if hasattr(point, "count")
            else point.value
            for metric in self._measured()
            for point in metric.data.data_points
            if metric.name == name
        }

    def everything_measured(self) -> list[tuple[str, list[dict[str, Any]]]]:
        """All names with all attributes."""
        return [(m.name, [dict(point.attributes or {}) for point in m.data.data_points]) for m in self._measured()]

    def _measured(self) -> list[Any]:
        data: Any = self._reader.get_metrics_data()
        resources: list[Any] = [] if data is None else data.resource_metrics
        return [metric for resource in resources for scope in resource.scope_metrics for metric in scope.metrics]

    def total(self, name: str, **attributes: Any) -> Any:
        """The sum over points with these attributes, whose dots are written as underscores."""
        wanted = {key.replace("_", "."): value for key, value in attributes.items()}
        return sum(
            value
            for key, value in self.points(name).items()
            if wanted.items() <= {name.replace("_", "."): one for name, one in key}.items()
        )


def context_of(span: ReadableSpan) -> trace.SpanContext:
    """The ids of a span that ended."""
    found = span.get_span_context()
    assert found is not None
    return found


def counter(context: EntityContext) -> None:
    """Adds, and tells the auditor."""
    if context.operation_name == "fail":
        raise ValueError("no such luck")
    total = context.get_state(lambda: 0) + (context.get_input() or 0)
    context.set_state(total)
    if context.operation_name == "add":
        context.signal_entity(AUDITOR, "note", total)
    context.set_result(total)


def auditor(context: EntityContext) -> None:
    """Keeps the last total."""
    context.set_state(context.get_input())


async def child(ctx: OrchestrationContext, value: int) -> int:
    return await ctx.call_activity("in_thread", value)


async def beside(ctx: OrchestrationContext) -> str:
    return await ctx.wait_for_external_event("go")


async def everything(ctx: OrchestrationContext, value: int) -> int:
    doubled = await ctx.call_activity("double", value)
    more = await ctx.call_sub_orchestrator(child, doubled)
    ctx.start_new_orchestration(beside, instance_id="beside")
    ctx.send_event("beside", "go", "now")
    await ctx.call_entity(COUNTER, "add", more)
    ctx.signal_entity(COUNTER, "look")
    return more


async def patient(ctx: OrchestrationContext) -> str:
    return await ctx.call_activity("fails_once", "x", retry=RetryPolicy(first_interval=SECOND, max_attempts=2))


async def rounds(ctx: OrchestrationContext, left: int) -> None:
    await ctx.call_activity("double", left)
    if left:
        ctx.continue_as_new(left - 1)


async def unlucky(ctx: OrchestrationContext) -> None:
    try:
        await ctx.call_entity(COUNTER, "fail")
    except TaskFailedError:
        raise LookupError("nothing there") from None


def app(ears: Ears) -> Registry:
    """Orchestrations that between them use every way to reach something else."""
    tracer = ears.tracers.get_tracer("the app")
    failed: set[str] = set()

    async def double(value: int) -> int:
        with tracer.start_as_current_span("inside"):
            return 2 * value

    def in_thread(value: int) -> int:
        with tracer.start_as_current_span("inside a thread"):
            return value + 1

    async def fails_once(name: str) -> str:
        if name not in failed:
            failed.add(name)
            raise ValueError("out of stock")
        return name

    registry = Registry()
    for activity in (double, in_thread, fails_once):
        registry.add_activity(activity)
    for orchestrator in (child, beside, everything, patient, rounds, unlucky):
        registry.add_orchestrator(orchestrator)
    registry.add_entity(counter)
    registry.add_entity(auditor)
    return registry


async def rest(hub: AnyHub, *processes: Process) -> None:
    """Let everything come to its end, timers of some seconds included."""
    for _ in range(6):
        for process in processes:
            await hub.settle(process)
        await hub.clock.sleep(2)
