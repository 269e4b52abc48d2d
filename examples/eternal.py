"""An eternal orchestration: work, sleep, start over with a small history. Here it ends after a number of rounds."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from durable_ext import DurableBlueprint, OrchestrationContext

bp = DurableBlueprint()

SECONDS_BETWEEN_ROUNDS = 3600


@dataclass(frozen=True)
class Cleanup:
    rounds: int
    removed: int = 0


@bp.activity
def remove_expired(round_number: int) -> int:
    # Stands for deleting what has expired: deleting it again finds nothing, so a repeat is harmless.
    return round_number % 3


@bp.orchestrator
async def eternal(ctx: OrchestrationContext, cleanup: Cleanup) -> int:
    removed = cleanup.removed + await ctx.call_activity(remove_expired, cleanup.rounds)
    if cleanup.rounds > 1:
        await asyncio.sleep(SECONDS_BETWEEN_ROUNDS)
        ctx.continue_as_new(replace(cleanup, rounds=cleanup.rounds - 1, removed=removed))
    return removed
