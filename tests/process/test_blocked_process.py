"""Code that blocks its process: it is told, the process ends, and after three of them that code alone has failed."""

from __future__ import annotations

from pathlib import Path

import pytest

from durable_ext.host.exit_codes import ExitCode
from durable_ext.worker.stalls import MOST_STALLS
from durable_ext.worker.watchdog import EXIT_CODE

from .hosts import Host, post, status_of

# A regular expression holds the lock that all threads need, and so the watchdog's, too.
APP = """
import re, time
from dataclasses import dataclass
from durable_ext.functions import DurableApp

app = DurableApp()

@app.activity
async def waits(value: int) -> None:
    time.sleep(1000)

@app.activity
async def quick(value: int) -> int:
    return value

@app.orchestrator
async def searches(ctx) -> None:
    await ctx.call_activity(quick, 1)
    re.match("(a|a)*b", "a" * 60)

@app.orchestrator
async def calls(ctx) -> None:
    await ctx.call_activity(waits, 1)

@app.orchestrator
async def fine(ctx) -> int:
    return await ctx.call_activity(quick, 1)

@app.entity
@dataclass
class Counter:
    value: int = 0

    async def add(self, value: int) -> None:
        while True:
            pass

    async def get(self) -> int:
        return 7

@app.orchestrator
async def adds(ctx) -> int:
    try:
        await ctx.call_entity("@counter@a", Counter.add, 1)
    finally:
        ctx.set_custom_status(await ctx.call_entity("@counter@a", Counter.get))
"""


@pytest.mark.parametrize(
    ("name", "line"), [("searches", "in searches"), ("calls", "in waits"), ("adds", "in Counter.add")]
)
def test_what_blocks_fails_alone(tmp_path: Path, name: str, line: str) -> None:
    app = tmp_path / "app.py"
    app.write_text(APP)
    storage = f"sqlite:{tmp_path / 'hub.sqlite'}"
    with Host(tmp_path, "--storage", storage, "--lease", "1", app=app, environ={"DURABLE_STALL_LIMIT": "1"}) as host:
        host.start_and_wait()
        assert post(f"{host.api}/orchestrators/{name}/blocks", None) == 202
        for number in range(1, MOST_STALLS + 1):
            assert host.ends(60) == ExitCode.STALLED == EXIT_CODE, host.output()
            assert host.said("has blocked the event loop for") >= number
            host.start_and_wait()
        assert post(f"{host.api}/orchestrators/fine/other", None) == 202
        host.wait_until_over("blocks", "other")
        status = status_of(host, "blocks")
        assert status_of(host, "other")["output"] == 1
        assert status["runtimeStatus"] == "Failed"
        assert f"{MOST_STALLS} times" in status["output"]
        assert f"{app}:" in status["output"]
        assert line in status["output"]
        assert status["customStatus"] == (7 if name == "adds" else None)
        assert "instance blocks: " in host.output() or name == "adds"
        assert line in host.output()
