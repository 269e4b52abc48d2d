"""Counters, histograms and levels: what is measured, and by which few attributes."""

from __future__ import annotations

import asyncio

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import (
    ActivityTimedOutError,
    ConfigurationError,
    NonDeterminismError,
    StorageError,
    StorageUnavailableError,
)
from durable_ext.host.pump import Pump
from durable_ext.records.failures import Failure, failure_from
from durable_ext.telemetry.measures import kind_of
from durable_ext.testing.faults import Fault, Plan
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.telemetry import Level
from tests.scenarios.hub import failing
from tests.scenarios.two_stores import AnyHub, on_both, run_on
from tests.worker.running import PATIENCE, Noting, Running, value_of

from . import in_a_process
from .hearing import Ears, app, context_of, rest

CONTROL = {"durable_queue_kind": "control"}


@on_both
@pytest.mark.parametrize("sessions", [True, False])
def test_orchestrations_and_activities_are_counted(store: str, sessions: bool) -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings(sessions=sessions))
        for name, value in (("everything", 4), ("rounds", 2), ("unlucky", None), ("patient", None)):
            await process.client.start(name, value, instance_id=name)
        await process.client.start("beside", instance_id="ended early")
        await hub.settle(process)
        await process.client.terminate("ended early", "enough")
        await rest(hub, process)
        turns = {name: len(await hub.store.history(name)) for name in ("everything", "unlucky")}
        await process.kill()

        named = "durable_orchestration_name"
        assert ears.total("durable.client.sent", durable_client_operation="create_orchestration") == 5
        assert ears.total("durable.orchestration.started", **{named: "everything"}) == 1
        assert ears.total("durable.orchestration.started", **{named: "rounds"}) == 1, "not again by continue-as-new"
        assert ears.total("durable.orchestration.started") == 7, "a child and a detached one too"
        assert ears.total("durable.orchestration.children", **{named: "everything"}) == 2
        assert ears.total("durable.orchestration.continued_as_new", **{named: "rounds"}) == 2
        assert ears.total("durable.turn.committed", **{named: "everything"}) == turns["everything"]
        ended = {"durable.orchestration.name": "unlucky", "durable.outcome": "failed"}
        ended |= {"durable.failure.kind": "application", "error.type": "LookupError"}
        assert ears.points("durable.orchestration.ended")[tuple(sorted(ended.items()))] == 1
        assert ears.total("durable.orchestration.ended", durable_outcome="terminated") == 1
        assert ears.total("durable.orchestration.ended", durable_outcome="completed") == 5
        assert ears.total("durable.orchestration.duration") == 7
        assert ears.total("durable.orchestration.turns") == 9, "of executions: two of `rounds` continued as new"
        assert ears.total("durable.orchestration.history", **{named: "unlucky"}) == 1
        assert (
            ears.total("durable.activity.executions", durable_activity_name="double", durable_outcome="completed") == 4
        )
        assert (
            ears.total("durable.activity.executions", durable_activity_name="fails_once", error_type="ValueError") == 1
        )
        assert ears.total("durable.activity.duration", durable_activity_name="double") == 4
        assert ears.total("durable.retries", durable_activity_name="fails_once") == 1
        assert ears.total("durable.entity.operations", durable_entity_name="counter", durable_outcome="completed") == 2
        assert ears.total("durable.entity.operations", durable_entity_name="counter", durable_outcome="failed") == 1
        assert ears.total("durable.entity.operation.duration", durable_entity_name="auditor") == 1
        assert ears.total("durable.message.wait", **CONTROL) > 0
        assert ears.total("durable.storage.duration", durable_storage_operation="append") > 10

    run_on(store, test)


def test_nothing_has_an_id_in_its_attributes() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings())
        await process.client.start("everything", 4, instance_id="an-id-of-mine")
        await Client(hub.store, hub.store).signal_entity("@made-up-outside@key", "look")
        await rest(hub, process)
        await process.worker.tidy()
        said = str(ears.everything_measured())
        assert "an-id-of-mine" not in said
        assert "made-up-outside" not in said
        assert ears.total("durable.entity.operations", durable_entity_name="_not_registered") == 1

    run_on("sqlite", test)


def test_detours_are_counted() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        registry = app(ears)
        plan = failing("append", after=0)
        process = hub.process(registry, plan=plan, settings=ears.settings(), most_attempts=1)
        await process.client.start("rounds", 0, instance_id="x")
        await rest(hub, process)
        assert ears.total("durable.session.broken", durable_reason="InjectedFaultError") == 1
        assert ears.total("durable.storage.duration", error_type="InjectedFaultError") == 1

    run_on("sqlite", test)


def test_levels_are_read_when_somebody_asks() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings())
        pump = Pump(process.worker, hub.store, hub.store)
        ears.listener.watch(pump.readings)
        await process.client.start("beside", instance_id="x")
        await hub.settle(process)
        calls = list(process.provider.calls)
        assert ears.total(Level.KEPT.value) == 1
        assert ears.total(Level.SLOTS.value) == 8
        assert ears.points(Level.SESSIONS.value) == {(): 0}
        assert ears.points(Level.QUEUE_ROOM.value) == {
            (("durable.queue.kind", kind),): 0 for kind in ("control", "start", "work")
        }
        assert process.provider.calls == calls, "a level costs no storage call"

    run_on("sqlite", test)


def test_the_age_of_the_oldest_work_is_looked_up_by_the_janitor_alone() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        registry = app(ears)
        process = hub.process(registry, settings=ears.settings())
        await process.worker.tidy()
        assert ears.points(Level.OLDEST_WORK.value) == {}
        other = hub.process(Registry(), settings=WorkerSettings(activity_slots=8))
        other.worker.registry.add_orchestrator(_queues)
        await other.client.start("_queues", instance_id="x")
        await hub.settle_control(other)
        await hub.clock.sleep(20)
        await process.worker.tidy()
        assert list(ears.points(Level.OLDEST_WORK.value)) == [(("durable.work.tag", "default"),)]
        assert 18 <= ears.total(Level.OLDEST_WORK.value) <= 22

    run_on("sqlite", test)


def test_a_look_up_that_fails_keeps_the_janitor_from_nothing() -> None:
    async def test(hub: AnyHub) -> None:
        ears = Ears()
        process = hub.process(app(ears), settings=ears.settings(), plan=_silent("oldest_work"))
        await process.client.start("rounds", 0, instance_id="nobody begins it")
        await hub.clock.sleep(3600)
        sent = list(process.provider.calls).count("send")
        with pytest.raises(StorageError):
            await process.worker.tidy()
        assert list(process.provider.calls).count("send") == sent + 1

    run_on("sqlite", test)


def _silent(silent: str) -> Plan:
    def plan(verb: str, _number: int) -> Fault:
        return Fault.BEFORE if verb == silent else Fault.NONE

    return plan


async def _queues(ctx: OrchestrationContext) -> None:
    await ctx.call_activity("elsewhere", placement="queue")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (failure_from(ValueError("x")), "application"),
        (failure_from(ConfigurationError("x")), "configuration"),
        (failure_from(StorageUnavailableError("x")), "infrastructure"),
        (failure_from(ActivityTimedOutError("x")), "timeout"),
        (Failure(type="Poison", message="x"), "poison"),
        (failure_from(NonDeterminismError("x", None)), "configuration"),
    ],
)
def test_kinds_of_failures(failure: Failure, kind: str) -> None:
    assert kind_of(failure) == kind


def test_traces_alone_and_metrics_alone() -> None:
    async def test(hub: AnyHub) -> None:
        traces, metrics = Ears(metrics=False), Ears(traces=False)
        for ears, name in ((traces, "x"), (metrics, "y")):
            process = hub.process(app(ears), settings=ears.settings())
            await process.client.start("everything", 1, instance_id=name)
            await rest(hub, process)
        assert traces.spans
        assert traces.everything_measured() == []
        assert [span.name for span in metrics.spans] == ["inside", "inside a thread"], "the app's own"
        assert metrics.total("durable.activity.executions") == 2
        assert all(getattr(e, "trace", None) is None for turn in await hub.store.history("y") for e in turn.events)

    run_on("sqlite", test)


def test_a_stopped_attempt_is_told_as_such() -> None:
    async def test() -> None:
        ears = Ears()
        registry = Registry()
        began = asyncio.Event()

        async def waits() -> None:
            began.set()
            await asyncio.Event().wait()

        registry.add_activity(waits)
        store = Noting()
        await store.create_hub()
        found = Running(registry, store, None, ears.settings())
        task = asyncio.ensure_future(found.run("waits"))
        await began.wait()
        task.cancel()
        await asyncio.wait([task])
        found.runner.close()
        await store.close()
        assert ears.total("durable.activity.executions", durable_outcome="stopped") == 1
        assert dict(ears.one("activity:waits").attributes or {})["durabletask.task.status"] == "Canceled"

    asyncio.run(test())


def test_a_child_process_goes_on_in_the_trace() -> None:
    async def test() -> None:
        ears = Ears()
        registry = Registry()
        registry.add_activity(in_a_process.current_span, run_in="process")
        store = Noting()
        await store.create_hub()
        found = Running(registry, store, None, ears.settings())
        async with asyncio.timeout(PATIENCE):
            outcome = await found.run("current_span")
        found.runner.close()
        await store.close()
        above = context_of(ears.one("activity:current_span"))
        assert value_of(outcome) == [f"{above.trace_id:032x}", f"{above.span_id:016x}"]

    asyncio.run(test())
