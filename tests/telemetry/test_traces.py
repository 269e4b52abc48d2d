"""One orchestration is one trace, whatever it reaches, on both stores, cached and from scratch."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.errors import StorageUnavailableError
from durable_ext.records.events import ExecutionStarted, OperationRequested
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.trace import TraceContext
from durable_ext.telemetry.contexts import kept_of
from durable_ext.testing.faults import Fault
from durable_ext.worker.client import start_message
from tests.scenarios.hub import failing
from tests.scenarios.two_stores import AnyHub, on_both, run_on

from .hearing import COUNTER, Ears, app, context_of, rest

cached_or_not = pytest.mark.parametrize("sessions", [True, False])

_TREE = {
    ("", "create_orchestration:everything"),
    ("create_orchestration:everything", "orchestration:everything"),
    ("orchestration:everything", "activity:double"),
    ("activity:double", "inside"),
    ("orchestration:everything", "orchestration:child"),
    ("orchestration:child", "activity:in_thread"),
    ("activity:in_thread", "inside a thread"),
    ("orchestration:everything", "orchestration:beside"),
    ("orchestration:everything", "entity:counter:add"),
    ("orchestration:everything", "entity:counter:look"),
    ("entity:counter:add", "entity:auditor:note"),
}


@on_both
@cached_or_not
def test_one_trace_across_everything_an_orchestration_reaches(store: str, sessions: bool) -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings(sessions=sessions))
        await process.client.start("everything", 4, instance_id="x")
        await rest(hub, process)
        assert await hub.output("x") == 9
        assert await hub.status("beside") is RuntimeStatus.COMPLETED
        assert ears.tree() == _TREE
        assert len(ears.traces()) == 1
        # A replay makes no span: there is one for each turn in history.
        assert len(ears.named("orchestration:everything")) == len(await hub.store.history("x"))
        assert len(ears.named("activity:double")) == 1

    run_on(store, test)


def test_spans_have_the_attributes_of_durable_functions() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings())
        await process.client.start("everything", 4, instance_id="x")
        await rest(hub, process)
        history = await hub.store.history("x")
        activity, last = ears.one("activity:double"), ears.named("orchestration:everything")[-1]
        assert activity.kind is SpanKind.SERVER
        assert dict(activity.attributes or {}) == {
            "durabletask.type": "activity",
            "durabletask.task.name": "double",
            "durabletask.task.instance_id": "x",
            "durabletask.task.execution_id": history[0].execution.execution_id,
            "durabletask.task.task_id": 0,
            "durabletask.task.attempt": 1,
            "durabletask.task.status": "Completed",
        }
        assert dict(last.attributes or {}) == {
            "durabletask.type": "orchestration",
            "durabletask.task.name": "everything",
            "durabletask.task.instance_id": "x",
            "durabletask.task.execution_id": history[0].execution.execution_id,
            "durabletask.task.turn": history[-1].number,
            "durabletask.task.status": "Completed",
        }
        assert ears.one("create_orchestration:everything").kind is SpanKind.PRODUCER
        assert dict(ears.one("entity:counter:add").attributes or {}) == {
            "durabletask.type": "entity",
            "durabletask.task.name": "counter",
            "durabletask.task.instance_id": "@counter@one",
            "durabletask.task.operation": "add",
            "durabletask.task.status": "Completed",
        }

    run_on("sqlite", test)


def test_the_callers_trace_goes_on() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings())
        with ears.tracers.get_tracer("caller").start_as_current_span("the caller"):
            await process.client.start("rounds", 0, instance_id="x")
        await rest(hub, process)
        assert ears.parent_of(ears.one("create_orchestration:rounds")) == "the caller"
        assert len(ears.traces()) == 1

    run_on("sqlite", test)


@on_both
@cached_or_not
def test_continue_as_new_goes_on_in_the_trace(store: str, sessions: bool) -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings(sessions=sessions))
        await process.client.start("rounds", 2, instance_id="x")
        await rest(hub, process)
        assert await hub.status("x") is RuntimeStatus.COMPLETED
        assert len(ears.named("activity:double")) == 3
        statuses = [(span.attributes or {})["durabletask.task.status"] for span in ears.named("orchestration:rounds")]
        assert statuses.count("ContinuedAsNew") == 2
        assert len(ears.traces()) == 1

    run_on(store, test)


def test_without_a_callers_trace_the_first_turn_begins_one() -> None:
    """A client that tells nobody starts, as the command line does."""

    async def test(hub: AnyHub) -> None:
        ears = Ears()
        client, process = hub.process(app(ears)).client, hub.process(app(ears), settings=ears.settings())
        await client.start("rounds", 1, instance_id="x")
        await rest(hub, process)
        turns = ears.named("orchestration:rounds")
        assert [span.parent is None for span in turns] == [True] + [False] * (len(turns) - 1)
        assert {ears.parent_of(span) for span in turns[1:]} == {"orchestration:rounds"}
        assert len(ears.traces()) == 1

    run_on("sqlite", test)


def test_a_failure_is_told_without_values() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings())
        await process.client.start("unlucky", instance_id="x")
        await process.client.start("patient", instance_id="y")
        await rest(hub, process)
        told = {
            span.name: (
                span.status.status_code,
                span.status.description,
                [dict(e.attributes or {}) for e in span.events],
            )
            for span in (ears.named("orchestration:unlucky")[-1], ears.one("entity:counter:fail"))
        }
        assert told == {
            "orchestration:unlucky": (
                StatusCode.ERROR,
                "LookupError: nothing there",
                [{"exception.type": "LookupError", "exception.message": "nothing there"}],
            ),
            "entity:counter:fail": (
                StatusCode.ERROR,
                "ValueError: no such luck",
                [{"exception.type": "ValueError", "exception.message": "no such luck"}],
            ),
        }
        assert [span.status.status_code for span in ears.named("activity:fails_once")] == [
            StatusCode.ERROR,
            StatusCode.UNSET,
        ]

    run_on("sqlite", test)


@on_both
def test_an_attempt_after_a_crash_is_a_span_of_its_own(store: str) -> None:
    """The turn that was lost before its commit has none: nobody saw it."""

    async def test(hub: AnyHub) -> None:
        ears = Ears()
        registry = app(ears)
        first = hub.process(registry, plan=failing("append", after=1), settings=ears.settings())
        await first.client.start("rounds", 0, instance_id="x")
        await first.handle(*await hub.take())
        await first.kill()
        await hub.leases_run_out()
        second = hub.process(registry, settings=ears.settings())
        await rest(hub, second)
        assert await hub.status("x") is RuntimeStatus.COMPLETED
        attempts = ears.named("activity:double")
        assert len(attempts) == 2
        assert {ears.parent_of(span) for span in attempts} == {"orchestration:rounds"}
        assert len(ears.named("orchestration:rounds")) == len(await hub.store.history("x"))
        assert len(ears.traces()) == 1

    run_on(store, test)


@on_both
def test_a_start_that_is_sent_again_has_its_trace(store: str) -> None:
    """P9: the row keeps the trace while it is Pending, and lets go of it then."""

    async def test(hub: AnyHub) -> None:
        ears = Ears()
        first = hub.process(app(ears), plan=failing("send", fault=Fault.BEFORE), settings=ears.settings())
        with pytest.raises(StorageUnavailableError):
            await first.client.start("rounds", 0, instance_id="x")
        stored = await hub.store.read_row("x")
        assert stored is not None
        assert stored.row.trace is not None
        await hub.store.send([start_message(stored.row, stored.etag, resent=True)])
        await rest(hub, hub.process(app(ears), settings=ears.settings()))
        assert ears.parent_of(ears.named("orchestration:rounds")[0]) == "create_orchestration:rounds"
        assert (await hub.row("x")).trace is None

    run_on(store, test)


def test_what_clients_send_is_linked_or_above() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings())
        await process.client.start("beside", instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "go", "on")
        await process.client.signal_entity(COUNTER, "look")
        await rest(hub, process)
        raised = ears.one("orchestration_event:go")
        assert dict(raised.attributes or {})["durabletask.event.target_instance_id"] == "x"
        took = ears.named("orchestration:beside")[-1]
        assert [link.context.span_id for link in took.links] == [context_of(raised).span_id]
        assert ears.parent_of(ears.one("entity:counter:look")) == "signal_entity:look"

    run_on("sqlite", test)


def test_log_lines_are_written_inside_the_span(caplog: pytest.LogCaptureFixture) -> None:
    class Tagging(logging.Filter):
        def filter(self, record: logging.LogRecord) -> bool:
            record.span_id = trace.get_current_span().get_span_context().span_id
            return True

    async def test(hub: AnyHub) -> None:
        ears = Ears()
        registry = app(ears)

        async def talks(ctx: OrchestrationContext) -> None:
            ctx.logger.warning("hello")

        registry.add_orchestrator(talks)
        process = hub.process(registry, settings=ears.settings())
        await process.client.start("talks", instance_id="x")
        await rest(hub, process)
        (line,) = [record for record in caplog.records if record.getMessage() == "hello"]
        assert getattr(line, "span_id", None) == context_of(ears.one("orchestration:talks")).span_id

    caplog.handler.addFilter(Tagging())
    run_on("sqlite", test)


def test_nobody_set_up_tracing() -> None:
    """The API alone makes no spans: nothing is stamped, and a caller's trace is handed on all the same."""

    async def test(hub: AnyHub) -> None:
        from durable_ext.telemetry import open_telemetry
        from durable_ext.worker.settings import WorkerSettings

        process = hub.process(app(Ears()), settings=WorkerSettings(telemetry=open_telemetry(), activity_slots=8))
        await process.client.start("rounds", 0, instance_id="x")
        caller = TraceContext(f"00-{'1' * 32}-{'2' * 16}-01", "vendor=one")
        with process.client.telemetry.incoming({"traceparent": caller.parent, "tracestate": caller.state}):
            await process.client.start("rounds", 0, instance_id="y")
        await rest(hub, process)
        assert {event for turn in await hub.store.history("x") for event in turn.events if _trace_of(event)} == set()
        started = (await hub.store.history("y"))[0].events[0]
        assert isinstance(started, ExecutionStarted)
        assert started.trace == caller

    run_on("sqlite", test)


def _trace_of(event: object) -> object:
    return getattr(event, "trace", None)


@pytest.mark.parametrize("parent", ["", "nonsense", f"00-{'0' * 32}-{'2' * 16}-01"])
def test_a_header_that_says_nothing_is_ignored(parent: str) -> None:
    ears = Ears()
    with ears.listener.incoming({"traceparent": parent}):
        assert not trace.get_current_span().get_span_context().is_valid


def test_the_context_does_not_leak() -> None:
    ears = Ears()
    with ears.listener.operation(str(COUNTER), OperationRequested(operation="look"), known=()) as told:
        assert kept_of(trace.get_current_span()) == told.trace
    assert not trace.get_current_span().get_span_context().is_valid
