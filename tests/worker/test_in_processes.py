"""Activities in child processes: values as JSON, failures as data, and no process that goes on when nobody waits."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec
import pytest

from durable_ext.authoring.payload import JsonConverter
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ActivityProcessError, ActivityTimedOutError, ConfigurationError
from durable_ext.host.apps import load_app
from durable_ext.worker.activities.process_frames import Call, Progressed, read_answer, write
from durable_ext.worker.activities.process_pool import BEGIN, ProcessCall, ProcessPool

from . import heavy
from .running import PATIENCE, failure_of, running, until, value_of

APP = """
from __future__ import annotations
from dataclasses import dataclass
from durable_ext import ActivityContext, DurableApp

app = DurableApp()

@dataclass
class Order:
    sku: str
    count: int

@app.activity_trigger(input_name="order", run_in="process")
def doubled(order: Order) -> Order:
    return Order(order.sku, 2 * order.count)

@app.activity("other", run_in="process", max_concurrent=1)
async def doubled_with_context(ctx: ActivityContext, order: Order) -> Order:
    return doubled(order)
"""


def registry_of(function: Callable[..., Any], converter: Any = None, **terms: Any) -> Registry:
    registry = Registry(converter)
    registry.add_activity(function, "do", run_in="process", **terms)
    return registry


def outcome_of(function: Callable[..., Any], value: Any = None, **terms: Any) -> Any:
    async def run() -> Any:
        async with running(registry_of(function, **terms)) as worker, asyncio.timeout(PATIENCE):
            return await worker.run("do", value, attempt=2)

    return asyncio.run(run())


def test_values_by_annotation_and_what_is_printed() -> None:
    assert value_of(outcome_of(heavy.double, {"sku": "a", "count": 2})) == {"sku": "a", "count": 4}


def test_its_context() -> None:
    found = value_of(outcome_of(heavy.told, {"sku": "a", "count": 2}))
    assert found == {"id": "order-1", "key": "e-0", "attempt": 2, "wanted": True}


def test_it_is_another_process_and_is_kept() -> None:
    async def test() -> None:
        async with running(registry_of(heavy.process_id)) as worker, asyncio.timeout(PATIENCE):
            seen = {value_of(await worker.run("do", item=f"e-0-{n}")) for n in range(3)}
        assert len(seen) == 1
        child = seen.pop()
        assert child != os.getpid()
        assert not is_alive(child), "it ends with the worker"

    asyncio.run(test())


def test_a_failure_is_data() -> None:
    failure = failure_of(outcome_of(heavy.refuse, {"sku": "a", "count": 2}))
    assert failure.type == f"{heavy.__name__}.StockError"
    assert (failure.message, failure.properties) == ("no a", {"sku": "a"})
    assert "in refuse" in failure.traceback


@pytest.mark.parametrize(
    ("function", "value", "kind"),
    [
        (heavy.double, {"sku": 1}, "PayloadError"),
        (heavy.leave, 3, "SystemExit"),
        (heavy.not_data, None, "PayloadError"),
    ],
)
def test_other_failures(function: Callable[..., Any], value: Any, kind: str) -> None:
    assert failure_of(outcome_of(function, value)).type.rpartition(".")[2] == kind


@pytest.mark.parametrize("at_most_once", [False, True])
def test_a_crash_is_a_failure_and_the_next_call_has_a_new_process(at_most_once: bool) -> None:
    registry = registry_of(heavy.crash, at_most_once=at_most_once)
    registry.add_activity(heavy.process_id, run_in="process")

    async def test() -> None:
        async with running(registry) as worker, asyncio.timeout(PATIENCE):
            failure = failure_of(await worker.run("do"))
            assert failure.is_caused_by(ActivityProcessError)
            assert "the process of activity 'do' ended with exit code -9" in failure.message
            assert failure.retryable is not at_most_once
            assert value_of(await worker.run("process_id", item="e-0-2")) > 0

    asyncio.run(test())


def test_the_time_limit_kills_it() -> None:
    failure = failure_of(outcome_of(heavy.spin, time_limit=timedelta(seconds=1.5)))
    assert failure.is_caused_by(ActivityTimedOutError)


def test_cancelling_kills_it_and_frees_its_slot() -> None:
    registry = registry_of(heavy.spin)
    registry.add_activity(heavy.process_id, run_in="process")

    async def test() -> None:
        async with running(registry, slots=1, processes=1) as worker, asyncio.timeout(PATIENCE):
            child = value_of(await worker.run("process_id"))
            spinning = asyncio.create_task(worker.run("do", item="e-0-2"))
            await until(lambda: worker.runner.running_processes)
            spinning.cancel()
            with pytest.raises(asyncio.CancelledError):
                await spinning
            assert value_of(await worker.run("process_id", item="e-0-3")) != child
            assert not is_alive(child)

    asyncio.run(test())


def test_closing_kills_what_runs_and_that_is_no_outcome() -> None:
    async def test() -> None:
        async with running(registry_of(heavy.spin)) as worker, asyncio.timeout(PATIENCE):
            spinning = asyncio.create_task(worker.run("do"))
            await until(lambda: worker.runner.running_processes)
            worker.runner.close()
            with pytest.raises(asyncio.CancelledError, match="the worker has drained"):
                await spinning

    asyncio.run(test())


def call_of(function: str) -> Call:
    null = msgspec.Raw(b"null")
    return Call(
        name="do",
        module=heavy.__name__,
        function=function,
        converter="",
        instance_id="i",
        execution_id="e",
        task_id=0,
        attempt=1,
        input=null,
        last_progress=null,
    )


def test_a_call_killed_before_it_began_does_not_begin() -> None:
    pool = ProcessPool()
    call = ProcessCall(call_of("process_id"), lambda _: None)
    call.kill()
    with pytest.raises(ActivityProcessError):
        pool.call(call, retryable=True)
    pool.close()


def test_a_child_ends_with_its_parent_whatever_it_does() -> None:
    command = [sys.executable, "-c", BEGIN, json.dumps(sys.path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        write(cast("BinaryIO", child.stdin), call_of("report_and_spin"))
        assert isinstance(read_answer(cast("BinaryIO", child.stdout)), Progressed)
        child.stdin.close()
        assert child.wait(PATIENCE) == 0


def test_waiting_for_a_process_takes_no_slot() -> None:
    registry = registry_of(heavy.spin)

    async def quick() -> str:
        return "quick"

    registry.add_activity(quick)

    async def test() -> None:
        async with running(registry, slots=2, processes=1) as worker, asyncio.timeout(PATIENCE):
            spinning = [asyncio.create_task(worker.run("do", item=f"e-0-{n}")) for n in range(3)]
            await until(lambda: worker.runner.running_processes)
            assert value_of(await worker.run("quick", item="e-0-9")) == "quick"
            for task in spinning:
                task.cancel()
            await asyncio.gather(*spinning, return_exceptions=True)

    asyncio.run(test())


def test_a_converter_of_the_apps_own() -> None:
    assert value_of(outcome_of(heavy.greet, "ADA", converter=heavy.SHOUTING)) == "HELLO ADA"


@pytest.mark.parametrize("converter", [type("Own", (JsonConverter,), {})(), JsonConverter(marked=[])])
def test_a_converter_that_cannot_be_found(converter: Any) -> None:
    outcome = outcome_of(heavy.greet, "ADA", converter=converter)
    if type(converter) is JsonConverter:
        assert value_of(outcome) == "hello ADA"
    else:
        assert "import_name" in failure_of(outcome).message


def test_a_function_of_the_apps_own_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the Functions worker and `durable host` load it: by its name, from a folder put on the import path."""
    file = tmp_path / "shop_app.py"
    file.write_text(APP, encoding="utf-8")
    monkeypatch.setattr(sys, "path", list(sys.path))
    registry = load_app(file).registry

    async def test() -> None:
        async with running(registry) as worker, asyncio.timeout(PATIENCE):
            value = {"sku": "a", "count": 2}
            assert value_of(await worker.run("doubled", value)) == {"sku": "a", "count": 4}
            assert value_of(await worker.run("other", value, item="e-0-2")) == {"sku": "a", "count": 4}

    try:
        asyncio.run(test())
    finally:
        del sys.modules["shop_app"]


def test_what_cannot_be_imported_is_refused() -> None:
    def local() -> None: ...

    for function in (local, lambda: None):
        with pytest.raises(ConfigurationError, match=r"cannot run in a process.*define it at module level"):
            registry_of(function)
    with pytest.raises(ConfigurationError, match=r"it takes .thread. or .process."):
        Registry().add_activity(heavy.greet, run_in="thraed")  # pyright: ignore[reportArgumentType]


def is_alive(process: int) -> bool:
    status = Path(f"/proc/{process}/stat")
    if status.parent.parent.exists():
        return status.exists() and status.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True
