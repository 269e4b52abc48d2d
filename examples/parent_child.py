"""Parent and children: one child orchestration for each region, all at the same time; one that fails is reported."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from durable_ext import DurableBlueprint, OrchestrationContext, TaskFailedError

bp = DurableBlueprint()


@dataclass(frozen=True)
class Rollout:
    version: str
    regions: list[str]


@dataclass(frozen=True)
class Region:
    name: str
    version: str


@bp.activity
def deploy(region: Region) -> str:
    if not region.name:
        raise ValueError("a region needs a name")
    return f"{region.name} runs {region.version}"


@bp.activity
def check_health(deployment: str) -> str:
    return f"{deployment} and is healthy"


@bp.orchestrator
async def roll_out_region(ctx: OrchestrationContext, region: Region) -> str:
    deployment = await ctx.call_activity(deploy, region)
    return await ctx.call_activity(check_health, deployment)


@bp.orchestrator
async def parent_child(ctx: OrchestrationContext, rollout: Rollout) -> list[str]:
    regions = [Region(name, rollout.version) for name in rollout.regions]
    children = [ctx.call_sub_orchestrator(roll_out_region, region) for region in regions]
    results = await asyncio.gather(*children, return_exceptions=True)
    return [result if isinstance(result, str) else reason(result) for result in results]


def reason(error: BaseException) -> str:
    if isinstance(error, TaskFailedError):
        return f"failed: {error.failure.message}"
    raise error
