"""What an activity says of its progress: callers read it while it runs, its next run takes it up, then it is gone."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import ActivityContext, OrchestrationContext, Registry, Worker
from durable_ext.authoring.options import Placement
from durable_ext.errors import PayloadError
from durable_ext.testing import virtual_time

from ..pumped import pumped
from .running import PATIENCE, Running, failure_of, pass_time, running, value_of

Work = Callable[[ActivityContext], Coroutine[Any, Any, Any]]


def in_virtual_time(test: Callable[[], Coroutine[Any, Any, None]]) -> None:
    virtual_time.run(lambda _clock: test())


def registry_of(function: Callable[..., Any]) -> Registry:
    registry = Registry()
    registry.add_activity(function, "do")
    return registry


async def kept(worker: Running) -> list[Any]:
    return [report.value.data for report in await worker.store.progress("order-1")]


def test_it_is_there_while_the_activity_runs_and_gone_behind_it() -> None:
    async def test() -> None:
        seen: list[Any] = []

        async def do(ctx: ActivityContext) -> None:
            assert ctx.heartbeat({"done": 1})
            assert ctx.last_progress == {"done": 1}
            seen.append(await kept(worker))
            await pass_time(2)
            seen.append(await kept(worker))

        async with running(registry_of(do)) as worker:
            await worker.run("do")
            assert seen == [[], [b'{"done":1}']]
            assert await kept(worker) == []

    in_virtual_time(test)


def test_one_write_every_few_seconds_with_the_newest_and_none_for_short_work() -> None:
    async def test() -> None:
        async def do(ctx: ActivityContext) -> None:
            for number in range(1001):
                ctx.heartbeat(number)
                await pass_time(0.01)
            await pass_time(5)

        async def short(ctx: ActivityContext) -> None:
            ctx.heartbeat("x")

        registry = registry_of(do)
        registry.add_activity(short)
        async with running(registry) as worker:
            await worker.run("do")
            assert 4 <= len(worker.store.written) <= 5
            assert worker.store.written[-1].value.data == b"1000"
            assert worker.store.deleted == ["e-0-1"]
            await worker.run("short", item="e-0-2")
            assert (len(worker.store.deleted), len(worker.store.written)) == (1, len(worker.store.written))
            assert worker.store.read == 0

    in_virtual_time(test)


def test_from_a_thread() -> None:
    go = threading.Event()

    def do(ctx: ActivityContext) -> bool:
        ctx.heartbeat([1, 2])
        go.wait(PATIENCE)
        return ctx.heartbeat() and ctx.last_progress_as(tuple[int, int]) == (1, 2)

    async def test() -> None:
        async with running(registry_of(do)) as worker, asyncio.timeout(PATIENCE):
            task = asyncio.create_task(worker.run("do"))
            while not await kept(worker):
                await pass_time(0.05)
            go.set()
            assert value_of(await task) is True
            assert await kept(worker) == []

    asyncio.run(test())


@pytest.mark.parametrize("cut_off", [True, False])
def test_the_next_run_takes_it_up(cut_off: bool) -> None:
    async def test() -> None:
        seen: list[Any] = []

        async def do(ctx: ActivityContext) -> None:
            seen.append(ctx.last_progress)
            if ctx.attempt == 1:
                ctx.heartbeat(41)
                ctx.heartbeat(42)
                await pass_time(1000)

        async with running(registry_of(do)) as worker:
            first = asyncio.create_task(worker.run("do"))
            await pass_time(0.5 if cut_off else 2)
            first.cancel()
            await asyncio.gather(first, return_exceptions=True)
            assert await kept(worker) == [b"42"]
            await worker.run("do", attempt=2)
            await worker.run("do", item="e-9-9", attempt=2)
            assert seen == [None, 42, None]
            assert await kept(worker) == []

    in_virtual_time(test)


def test_too_much_and_no_data() -> None:
    async def do(ctx: ActivityContext) -> None:
        ctx.heartbeat("x" * 20_000)

    async def test() -> None:
        async with running(registry_of(do)) as worker:
            failure = failure_of(await worker.run("do"))
            assert failure.is_caused_by(PayloadError)
            assert "more than the 16384 that are kept" in failure.message

    in_virtual_time(test)


def test_storage_that_fails_does_not_stop_the_activity() -> None:
    async def do(ctx: ActivityContext) -> str:
        for number in range(10):
            ctx.heartbeat(number)
            await pass_time(1)
        return "done"

    async def test() -> None:
        async with running(registry_of(do)) as worker:
            worker.store.refuses = True
            assert value_of(await worker.run("do")) == "done"

    in_virtual_time(test)


def test_without_an_engine_it_does_nothing() -> None:
    context = ActivityContext("i", "e", 1, cancelled=threading.Event())
    assert context.heartbeat(5)
    assert context.last_progress is None
    stop = threading.Event()
    stop.set()
    assert not ActivityContext("i", "e", 1, cancelled=stop).heartbeat(5)


@pytest.mark.parametrize("placement", ["local", "queue"])
def test_a_caller_reads_it(placement: Placement) -> None:
    async def do(ctx: ActivityContext, number: int) -> int:
        ctx.heartbeat({"done": number})
        await asyncio.wait_for(go[number].wait(), PATIENCE)
        return number

    async def main(ctx: OrchestrationContext) -> list[int]:
        calls = [ctx.call_activity("do", number, placement=placement) for number in range(2)]
        return await asyncio.gather(*calls)

    registry = registry_of(do)
    registry.add_orchestrator(main)
    go = [asyncio.Event(), asyncio.Event()]

    async def test() -> None:
        async with pumped(registry) as worker, asyncio.timeout(PATIENCE):
            await worker.client.start("main", instance_id="it")
            await progress_of(worker, 2)
            found = await worker.client.activity_progress("it")
            assert [(one.name, one.task_id, one.progress) for one in found] == [
                ("do", 0, {"done": 0}),
                ("do", 1, {"done": 1}),
            ]
            status = await worker.client.get("it", with_progress=True)
            assert status is not None
            assert status.activity_progress == tuple(found)
            plain = await worker.client.get("it")
            assert plain is not None
            assert plain.activity_progress == ()
            go[0].set()
            await progress_of(worker, 1)
            go[1].set()
            await worker.client.wait_for_completion("it", timedelta(seconds=PATIENCE))
            assert await worker.client.activity_progress("it") == []
            assert await worker.client.activity_progress("nobody") == []
            over = await worker.client.get("it", with_progress=True)
            assert over is not None
            assert over.activity_progress == ()
            assert await worker.client.get("nobody", with_progress=True) is None

    asyncio.run(test())


@pytest.mark.parametrize("placement", ["local", "queue"])
def test_that_of_an_activity_nobody_waits_for_goes(placement: Placement) -> None:
    async def do(ctx: ActivityContext) -> None:
        ctx.heartbeat("half")
        await pass_time(10_000)

    async def main(ctx: OrchestrationContext) -> None:
        call = ctx.call_activity("do", placement=placement)
        await ctx.wait_for_external_event("stop")
        call.cancel()
        await ctx.wait_for_external_event("end")

    registry = registry_of(do)
    registry.add_orchestrator(main)

    async def test() -> None:
        async with pumped(registry) as worker:
            await worker.client.start("main", instance_id="it")
            await progress_of(worker, 1)
            await worker.client.raise_event("it", "stop")
            await progress_of(worker, 0)

    asyncio.run(asyncio.wait_for(test(), PATIENCE))


async def progress_of(worker: Worker, count: int) -> None:
    while len(await worker.client.activity_progress("it")) != count:
        await pass_time(0.05)
