"""What is lost when the process ends is refused at once, with an error that says what to do (R2)."""

from __future__ import annotations

import asyncio
import gc
import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import AnyFunction
from durable_ext.errors import NotDurableError

from .conftest import Begin
from .events import answer, completed, facts, task, terminated
from .situation import Situation, registry_of


async def opens_a_connection(ctx: OrchestrationContext) -> None:
    await asyncio.open_connection("localhost", 1)


async def resolves_a_name(ctx: OrchestrationContext) -> None:
    await asyncio.get_running_loop().getaddrinfo("localhost", 1)


async def reads_a_socket(ctx: OrchestrationContext) -> None:
    left, right = socket.socketpair()
    with left, right:
        left.setblocking(False)
        await asyncio.get_running_loop().sock_recv(left, 1)


async def runs_in_a_thread(ctx: OrchestrationContext) -> None:
    await asyncio.to_thread(print, "lost")


async def runs_in_an_executor(ctx: OrchestrationContext) -> None:
    await asyncio.get_running_loop().run_in_executor(None, print, "lost")


async def starts_a_process(ctx: OrchestrationContext) -> None:
    await asyncio.create_subprocess_exec("ls")


async def listens(ctx: OrchestrationContext) -> None:
    await asyncio.start_server(lambda _reader, _writer: None, "127.0.0.1", 0)


@pytest.mark.parametrize(
    ("code", "verb"),
    [
        (opens_a_connection, "create_connection"),
        (resolves_a_name, "getaddrinfo"),
        (reads_a_socket, "sock_recv"),
        (runs_in_a_thread, "run_in_executor"),
        (runs_in_an_executor, "run_in_executor"),
        (starts_a_process, "subprocess_exec"),
        (listens, "create_server"),
    ],
)
def test_reaching_outside_is_refused(begin: Begin, code: AnyFunction, verb: str) -> None:
    situation = begin(code)
    situation.start()
    assert situation.failure.type == "durable_ext.errors.NotDurableError"
    assert f"asyncio's {verb}" in situation.failure.message
    assert "do it in an activity" in situation.failure.message
    assert not situation.failure.retryable


def test_code_cannot_hide_it(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> str:
        try:
            await asyncio.to_thread(print, "lost")
        except NotDurableError:
            return "caught"
        return "ran"

    situation = begin(main)
    situation.start()
    assert situation.failure.type == "durable_ext.errors.NotDurableError"


def test_a_future_of_another_loop() -> None:
    async def main(ctx: OrchestrationContext) -> None:
        other = asyncio.new_event_loop()
        foreign = other.create_future()
        other.close()
        await foreign

    situation = Situation(registry_of(main))  # asyncio's own text, the cause, names objects by their addresses
    situation.start()
    assert situation.failure.type == "durable_ext.errors.NotDurableError"
    assert "a future of another event loop" in situation.failure.message


def test_a_future_nobody_can_resolve(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a")
        await asyncio.get_running_loop().create_future()

    situation = begin(main)
    situation.start()
    situation.turn(answer(0))
    assert "nothing can ever finish" in situation.failure.message


def test_a_lock_that_nobody_lets_go(begin: Begin) -> None:
    async def main(ctx: OrchestrationContext) -> None:
        lock = asyncio.Lock()
        await lock.acquire()
        await lock.acquire()

    situation = begin(main)
    situation.start()
    assert situation.failure.type == "durable_ext.errors.NotDurableError"


def test_what_asyncio_has_for_tasks_among_themselves_works(begin: Begin) -> None:
    async def worker(ctx: OrchestrationContext, orders: asyncio.Queue[int], gate: asyncio.Semaphore) -> list[Any]:
        got: list[Any] = []
        while True:
            async with gate:
                if orders.empty():
                    return got
                got.append(await ctx.call_activity("a", orders.get_nowait()))

    async def main(ctx: OrchestrationContext) -> list[Any]:
        orders: asyncio.Queue[int] = asyncio.Queue()
        for number in range(3):
            await orders.put(number)
        gate = asyncio.Semaphore(1)
        return list(await asyncio.gather(worker(ctx, orders, gate), worker(ctx, orders, gate)))

    situation = begin(main)
    assert facts(situation.start()) == facts([task(0, "a", 0)])
    situation.turn(answer(0, "x"))
    situation.turn(answer(1, "y"))
    assert facts(situation.turn(answer(2, "z")))[-1]["type"] == "ExecutionCompleted"


def in_a_thread(use: AnyFunction) -> BaseException | None:
    with ThreadPoolExecutor(1) as pool:
        done: Future[Any] = pool.submit(use)
        return done.exception()


USES: list[Callable[[OrchestrationContext], object]] = [
    lambda ctx: ctx.call_activity("a"),
    lambda ctx: ctx.call_sub_orchestrator("a"),
    lambda ctx: ctx.create_timer(ctx.now),
    lambda ctx: ctx.wait_for_external_event("a"),
    lambda ctx: ctx.send_event("a", "b"),
    lambda ctx: ctx.set_custom_status("a"),
    lambda ctx: ctx.continue_as_new(),
]


@pytest.mark.parametrize("use", USES)
def test_the_context_is_for_the_code_alone(use: Callable[[OrchestrationContext], object]) -> None:
    kept: list[OrchestrationContext] = []
    errors: list[BaseException | None] = []

    async def main(ctx: OrchestrationContext) -> None:
        kept.append(ctx)
        errors.append(in_a_thread(lambda: use(ctx)))
        await ctx.call_activity("first")

    situation = Situation(registry_of(main))
    assert facts(situation.start()) == facts([task(0, "first")])
    with pytest.raises(NotDurableError, match="outside of its orchestrator's own code"):
        use(kept[0])  # while the code waits
    situation.turn(answer(0))
    with pytest.raises(NotDurableError):
        use(kept[0])  # after the end
    assert [type(error) for error in errors] == [NotDurableError]


def test_another_thread_may_take_the_next_turn() -> None:
    async def main(ctx: OrchestrationContext) -> str:
        await ctx.call_activity("a")
        ctx.set_custom_status("on")
        return threading.current_thread().name

    situation = Situation(registry_of(main))
    situation.start()
    thread = threading.Thread(target=lambda: situation.turn(answer(0)), name="second")
    thread.start()
    thread.join()
    assert facts(situation.turns[-1].events)[-1] == facts([completed("second")])[0]


async def cleans_up_late(ctx: OrchestrationContext) -> None:
    async def part(name: str) -> None:
        try:
            await ctx.call_activity(name)
        finally:
            await ctx.call_activity(f"undo {name}")

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(part("a"))
            group.create_task(part("b"))
            await ctx.call_activity("c")  # thrown away here, the group waits for its tasks once more
    finally:
        await ctx.call_activity("undo all")


async def awaits_twice_in_a_task(ctx: OrchestrationContext) -> None:
    async def part() -> None:
        held = asyncio.get_running_loop().create_future()
        try:
            await ctx.call_activity("a")
        finally:
            try:
                await held
            finally:
                ctx.call_activity("undo a")

    await asyncio.ensure_future(part())


def yields_late(ctx: OrchestrationContext) -> Any:
    try:
        yield ctx.call_activity("a")
    finally:
        yield ctx.call_activity("undo a")


def clings(ctx: OrchestrationContext) -> Any:
    for _ in range(3):
        try:
            yield ctx.call_activity("a")
        except GeneratorExit:
            continue


@pytest.mark.parametrize("code", [cleans_up_late, awaits_twice_in_a_task, yields_late, clings])
@pytest.mark.parametrize("end", ["terminate", "evict"])
def test_code_that_is_thrown_away_goes_quietly(code: AnyFunction, end: str) -> None:
    """Warnings are errors here, so a coroutine or generator that complains when it is collected fails the test."""
    situation = Situation(registry_of(code))
    situation.start()
    if end == "terminate":
        assert situation.turn(terminated()) == []
    else:
        situation.live.drop()
    assert situation.live.finished
    del situation
    gc.collect()


def test_a_thrown_away_loop_takes_nothing_any_more() -> None:
    async def main(ctx: OrchestrationContext) -> None:
        await ctx.call_activity("a")

    async def more() -> None: ...

    situation = Situation(registry_of(main))
    situation.start()
    situation.live.drop()
    assert situation.live.loop.is_closed()
    with pytest.raises(asyncio.CancelledError):
        situation.live.loop.create_task(more())
