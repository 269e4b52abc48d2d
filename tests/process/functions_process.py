"""A process of an app under the imitation of the Functions host; run as a script with the file of runs (F2)."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from pathlib import Path

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.functions import DurableApp
from durable_ext.functions.local import index
from tests.functions.imitation_host import imitation_host

RUNS = Path(os.environ.get("RUNS_FILE", os.devnull))
READY = "serving"
CONNECTION = "AzureWebJobsStorage"
# Shortened as the heartbeat is.
MINUTE = 4 * int(os.environ.get("DURABLE_HEARTBEAT", "15"))

app = DurableApp()


def _note(what: str) -> None:
    with RUNS.open("a") as file:
        file.write(what + "\n")


@app.activity
def quick(name: str) -> str:
    return name


@app.activity
def slow(name: str) -> str:
    _note(name)
    threading.Event().wait(3)
    return name


@app.orchestrator
async def here(ctx: OrchestrationContext) -> str:
    """A long activity that runs where the session is."""
    name = await ctx.call_activity(quick, ctx.instance_id)
    name = await ctx.call_activity(slow, name, placement="local")
    return await ctx.call_activity(quick, name)


@app.orchestrator
async def by_queue(ctx: OrchestrationContext) -> str:
    """The same by queue."""
    return await ctx.call_activity(slow, ctx.instance_id, placement="queue")


@app.orchestrator
async def after_event(ctx: OrchestrationContext) -> str:
    """The trigger that is held is an event."""
    name: str = await ctx.wait_for_external_event("go")
    return await ctx.call_activity(slow, name, placement="local")


async def main() -> None:
    await app.worker()
    functions = index(app)
    async with imitation_host(functions, os.environ[CONNECTION], minute=MINUTE):
        sys.stdout.write(READY + "\n")
        sys.stdout.flush()
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
