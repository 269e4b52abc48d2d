"""Hubs with histories in them: what an app's code decides is appended as a worker would, without one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from durable_ext.authoring.registry import Registry
from durable_ext.functions.app import engine_of
from durable_ext.host.apps import load_app
from durable_ext.providers.contract import Catalog, Provider
from durable_ext.records.events import ContinuedAsNew, ExecutionStarted, Input
from durable_ext.records.instance import Execution, InstanceRow, RuntimeStatus
from durable_ext.records.turns import Turn
from durable_ext.replay.fold import project
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.outbox import successor
from durable_ext.replay.turn import run_turn
from durable_ext.worker.offload import load_inputs, store_events
from durable_ext.worker.payload_store import PayloadStore

from ..replay.events import NOON, SECOND, answer, raised, started, suspended, terminated

APP = '''"""An app."""
from durable_ext import DurableApp

app = DurableApp()


@app.orchestrator
async def order(ctx, number):
    print("an orchestrator that prints")
    await ctx.call_activity("reserve", number)
    await ctx.call_activity("charge", number)
    return await ctx.wait_for_external_event("go")


@app.orchestrator
def old(ctx, number):
    yield ctx.call_activity("a")
    yield ctx.call_activity("b")
    return number


@app.orchestrator
async def count(ctx, number):
    await ctx.call_activity("first" if number == 0 else "next")
    await ctx.wait_for_external_event("go")
    ctx.continue_as_new(number + 1)


@app.orchestrator
async def fails(ctx, number):
    raise ValueError(str(number))


@app.orchestrator
async def branch(ctx, text):
    await ctx.call_activity("long" if len(text) > 1000 else "short", text)
    ctx.set_custom_status(await ctx.wait_for_external_event("go"))
    return text
'''


class Store(Provider, Catalog):
    """A provider that is a catalog too, as ours are."""


def app_file(folder: Path, text: str = APP, name: str = "checked_app") -> Path:
    file = folder / f"{name}.py"
    file.write_text(text, encoding="utf-8")
    return file


def registry_in(file: Path) -> Registry:
    return engine_of(load_app(file)).registry


class Seeds:
    """Puts instances of an app into a store."""

    def __init__(self, store: Store, registry: Registry) -> None:
        self._store = store
        self._payloads = PayloadStore(store)
        self._registry = registry

    async def add(self, instance_id: str, start: ExecutionStarted, *inputs: Input) -> list[Turn]:
        """An instance whose turns have one input each."""
        execution = Execution(instance_id=instance_id, execution_id=f"{instance_id}-e0")
        rest = list(inputs)
        turns = found = await self._execution(execution, (start,), rest)
        while isinstance(ending := turns[-1].events[-1], ContinuedAsNew):
            begun = turns[0].events[0]
            assert isinstance(begun, ExecutionStarted)
            execution, first = successor(turns[-1], begun, ending)
            turns = await self._execution(execution, first, rest)
            found = [*found, *turns]
        row = project(None, turns)
        assert row is not None
        await self._store.create_row(row)
        return found

    async def _execution(self, execution: Execution, first: Sequence[Input], rest: list[Input]) -> list[Turn]:
        live = LiveExecution(execution, self._registry, self._registry.converter)
        turns: list[Turn] = []
        inputs = first
        while inputs:
            number = len(turns)
            time = NOON + number * SECOND
            events = run_turn(live, await load_inputs(self._payloads, inputs), time).events
            turn = Turn(
                execution=execution,
                number=number,
                events=await store_events(self._payloads, execution.instance_id, events),
                message_ids=(f"{execution.execution_id}-m{number}",),
                trigger_id="start",
                time=time,
                commit_id=f"c{number}",
            )
            await self._store.append(turn)
            turns.append(turn)
            inputs = (rest.pop(0),) if rest and not live.finished else ()
        live.drop()
        return turns


ALL = {"begun", "counted", "done", "ended", "failed", "generator", "long", "stopped", "to come", "waits"}


async def fill(store: Store, registry: Registry) -> None:
    """One instance of each kind of state."""
    seeds = Seeds(store, registry)
    await seeds.add("done", started(1, name="order"), answer(0), answer(1), raised("go", 2))
    await seeds.add("waits", started(1, name="order"), answer(0), answer(1))
    await seeds.add("begun", started(1, name="old"))
    await seeds.add("generator", started(1, name="old"), answer(0))
    await seeds.add("stopped", started(1, name="order"), answer(0), suspended(), answer(1))
    await seeds.add("ended", started(1, name="order"), answer(0), terminated())
    await seeds.add("failed", started(1, name="fails"))
    await seeds.add("counted", started(0, name="count"), answer(0), raised("go"), answer(0))
    await seeds.add("long", started("x" * 100_000, name="branch"), answer(0), raised("go", "y" * 100_000))
    await store.create_row(
        InstanceRow(
            execution=Execution(instance_id="to come", execution_id="to-come-e0"),
            name="order",
            status=RuntimeStatus.PENDING,
            created_at=NOON,
            updated_at=NOON,
        )
    )
