"""A monitor: look at something again and again, at growing intervals, until it is done or it is too late."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from durable_ext import DurableBlueprint, OrchestrationContext
from examples.transcoder import TRANSCODER

bp = DurableBlueprint()

FIRST_INTERVAL = timedelta(seconds=30)
LONGEST_INTERVAL = timedelta(minutes=30)


@dataclass(frozen=True)
class Watch:
    video: str
    give_up_after: timedelta = timedelta(hours=12)


@bp.activity
async def progress_of(video: str) -> int:
    return TRANSCODER.progress(video)


@bp.orchestrator
async def monitor(ctx: OrchestrationContext, watch: Watch) -> str:
    deadline = ctx.now + watch.give_up_after
    interval = FIRST_INTERVAL
    while ctx.now < deadline:
        percent = await ctx.call_activity(progress_of, watch.video)
        ctx.set_custom_status({"percent": percent})
        if percent >= 100:
            return f"{watch.video} is ready"
        await asyncio.sleep(interval.total_seconds())
        interval = min(interval * 2, LONGEST_INTERVAL)
    return f"{watch.video} was not ready in {watch.give_up_after}"
