"""Fan-out, fan-in: count the words of many texts at the same time, then add up. `gather` is asyncio's own."""

from __future__ import annotations

import asyncio

from durable_ext import DurableBlueprint, OrchestrationContext

bp = DurableBlueprint()


@bp.activity
def count_words(text: str) -> int:
    return len(text.split())


@bp.orchestrator
async def fan_out_fan_in(ctx: OrchestrationContext, texts: list[str]) -> int:
    counts = await asyncio.gather(*[ctx.call_activity(count_words, text) for text in texts])
    return sum(counts)
