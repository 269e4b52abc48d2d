"""A hub in a SQLite file, the command line on it, and a worker beside it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.registry import Registry
from durable_ext.host.cli import main
from durable_ext.host.exit_codes import ExitCode
from durable_ext.host.pump import Pump
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.worker.worker import Worker


async def double(number: int) -> int:
    return 2 * number


async def doubled(ctx: OrchestrationContext, number: int) -> int:
    ctx.set_custom_status("doubling")
    return await ctx.call_activity(double, number)


async def fails(_: OrchestrationContext) -> None:
    raise ValueError("on purpose")


async def waits(ctx: OrchestrationContext) -> Any:
    return await ctx.wait_for_external_event("go")


async def keeps(ctx: OrchestrationContext, rounds: int) -> None:
    ctx.set_value("city", ["Rome"])
    if rounds:
        ctx.continue_as_new(rounds - 1)
    else:
        await ctx.wait_for_external_event("go")


def counter(context: EntityContext) -> None:
    if context.operation_name == "delete":
        context.delete_state()
    else:
        context.set_state(context.get_state(lambda: 0) + context.get_input())


def registry() -> Registry:
    found = Registry()
    found.add_entity(counter)
    found.add_activity(double)
    for orchestrator in (doubled, fails, waits, keeps):
        found.add_orchestrator(orchestrator)
    return found


class Hub:
    """A hub in a file, and the command line on it."""

    def __init__(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.file = folder / "hub.sqlite"
        self._capsys = capsys
        self.errors = ""

    def run(self, *arguments: str) -> tuple[int, str]:
        """Exit code and output of a command."""
        self._capsys.readouterr()
        try:
            code = main([*arguments, "--storage", f"sqlite:{self.file}"])
        except SystemExit as error:
            code = int(error.code or 0)
        printed = self._capsys.readouterr()
        self.errors = printed.err
        return code, printed.out

    def ok(self, *arguments: str) -> str:
        code, output = self.run(*arguments)
        assert code == ExitCode.OK, self.errors
        return output

    def json(self, *arguments: str) -> Any:
        return json.loads(self.ok(*arguments, "--json"))

    def ended(self, *arguments: str) -> str:
        """Start an instance that a worker brings to its end; its id."""
        with self.serving():
            code, output = self.run("start", *arguments, "--wait", "20", "--json")
        assert code in (ExitCode.OK, ExitCode.INSTANCE_FAILED), self.errors
        return json.loads(output)["instanceId"]

    @contextmanager
    def serving(self) -> Generator[None]:
        """A worker in a thread of its own, as a host would run it."""
        loops: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []
        ready = threading.Event()

        async def serve() -> None:
            stop = asyncio.Event()
            loops.append((asyncio.get_running_loop(), stop))
            await self.with_store(lambda store: _work(store, ready, stop))

        thread = threading.Thread(target=lambda: asyncio.run(serve()))
        thread.start()
        assert ready.wait(20)
        try:
            yield
        finally:
            loop, stop = loops[0]
            loop.call_soon_threadsafe(stop.set)
            thread.join(20)

    async def with_store(self, use: Callable[[SqliteProvider], Any]) -> Any:
        store = SqliteProvider(str(self.file))
        try:
            await store.create_hub()
            return await use(store)
        finally:
            await store.close()


async def _work(store: SqliteProvider, ready: threading.Event, stop: asyncio.Event) -> None:
    worker = Worker(store, store, registry())
    pump = Pump(worker, store, store)
    tasks = [asyncio.create_task(pump.poll()), asyncio.create_task(pump.keep_leases())]
    ready.set()
    await stop.wait()
    tasks[0].cancel()
    await worker.drain(timedelta(seconds=5))
    await pump.settle(timedelta(seconds=5))
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
