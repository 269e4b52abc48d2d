"""The name and the logger of an activity's context: on the loop, in a thread, in a child process, and by hand."""

from __future__ import annotations

import asyncio
import logging

import pytest

from durable_ext import ActivityContext, Registry

from . import heavy
from .running import PATIENCE, running, value_of


def by_thread(ctx: ActivityContext) -> str:
    ctx.logger.warning("%s of %d", "one", 2, extra={"order": "A-1"})
    return ctx.name


async def on_the_loop(ctx: ActivityContext) -> str:
    return by_thread(ctx)


@pytest.mark.parametrize("function", [by_thread, on_the_loop])
def test_a_line_names_the_call(function: object, caplog: pytest.LogCaptureFixture) -> None:
    async def test() -> None:
        registry = Registry()
        registry.add_activity(function, "charge")  # pyright: ignore[reportArgumentType]
        async with running(registry) as worker:
            assert value_of(await worker.run("charge", attempt=2)) == "charge"

    asyncio.run(test())
    (line,) = [record for record in caplog.records if record.name == "durable_ext.activity.charge"]
    assert (line.levelname, line.getMessage()) == ("WARNING", "one of 2")
    found = {name: vars(line)[name] for name in ("activity", "instance_id", "execution_id", "task_id", "attempt")}
    assert found == {"activity": "charge", "instance_id": "order-1", "execution_id": "e", "task_id": 0, "attempt": 2}
    assert vars(line)["order"] == "A-1"


def test_in_a_child_process(capfd: pytest.CaptureFixture[str]) -> None:
    """There the child's own logging writes it, which by default shows warnings on the error output."""

    async def test() -> None:
        registry = Registry()
        registry.add_activity(heavy.logs, "charge", run_in="process")
        async with running(registry) as worker, asyncio.timeout(PATIENCE):
            assert value_of(await worker.run("charge")) == "charge"

    asyncio.run(test())
    assert "slow today" in capfd.readouterr().err


def test_every_level() -> None:
    context = ActivityContext("i", "e", 1)
    context.attach("charge", Nothing(), lambda _: logging.LoggerAdapter(logging.getLogger("levels"), {}))
    seen: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: seen.append(record.levelname)
    logger = logging.getLogger("levels")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler)
    for level in ("debug", "info", "warning", "error", "critical", "exception"):
        getattr(context.logger, level)("a line")
    context.logger.log(logging.INFO, "a line")
    assert seen == ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "ERROR", "INFO"]


def test_by_hand_it_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    context = ActivityContext("i", "e", 1)
    assert context.name == ""
    for level in ("debug", "info", "warning", "error", "critical", "exception"):
        getattr(context.logger, level)("%s", "a line", extra={"n": 1})
    context.logger.log(logging.ERROR, "a line")
    assert caplog.records == []


class Nothing:
    """Progress that nobody keeps."""

    def report(self, value: object) -> None: ...

    def decode(self, kind: object) -> None: ...
