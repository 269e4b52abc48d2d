"""The app of the versions: old and new code under one name, as two deployments have it."""

from __future__ import annotations

from typing import Any

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.records.versions import VersionFailure, VersionMatch
from durable_ext.worker.settings import WorkerSettings


async def note(text: str) -> str:
    return text


async def order_1(ctx: OrchestrationContext) -> str:
    first = await ctx.call_activity(note, "old")
    return f"{first} {await ctx.wait_for_external_event('paid')}"


async def order_2(ctx: OrchestrationContext) -> str:
    await ctx.wait_for_external_event("paid")
    return await ctx.call_activity(note, "new")


async def upgrade_1(ctx: OrchestrationContext, seen: list[Any]) -> None:
    """Goes on with the code of the next version."""
    told = await ctx.call_activity(note, "old")
    child = await ctx.call_sub_orchestrator(order_child_1)
    other = await ctx.call_sub_orchestrator("child", version="2.0")
    ctx.continue_as_new([*seen, ctx.version, told, child, other], version="2.0")


async def upgrade_2(ctx: OrchestrationContext, seen: list[Any]) -> list[Any]:
    event = await ctx.wait_for_external_event("paid")
    return [*seen, ctx.version, await ctx.call_sub_orchestrator("child", version=ctx.version), event]


async def poll_1(ctx: OrchestrationContext) -> None:
    await ctx.wait_for_external_event("paid")
    ctx.continue_as_new(version="2.0")


async def poll_2(ctx: OrchestrationContext) -> str | None:
    return ctx.version


async def order_child_1(ctx: OrchestrationContext) -> str:
    return await ctx.call_activity(note, f"child {ctx.version}")


async def order_child_2(ctx: OrchestrationContext) -> str:
    return f"{await ctx.call_activity(note, 'new child')} {ctx.version}"


def registry(*versions: str, default: str | None = None) -> Registry:
    """The app with the code of these versions."""
    names = Registry(default_version=default)
    names.add_activity(note)
    if "1.0" in versions:
        names.add_orchestrator(order_1, "order", version="1.0")
        names.add_orchestrator(poll_1, "poll", version="1.0")
        names.add_orchestrator(upgrade_1, "upgrade", version="1.0")
        names.add_orchestrator(order_child_1, "child", version="1.0")
    if "2.0" in versions:
        names.add_orchestrator(order_2, "order", version="2.0")
        names.add_orchestrator(poll_2, "poll", version="2.0")
        names.add_orchestrator(upgrade_2, "upgrade", version="2.0")
        names.add_orchestrator(order_child_2, "child", version="2.0")
    return names


def takes(
    version: str | None,
    match: VersionMatch = VersionMatch.STRICT,
    failure: VersionFailure | None = None,
    *,
    sessions: bool = True,
) -> WorkerSettings:
    return WorkerSettings(
        activity_slots=8, version=version, version_match=match, version_failure=failure, sessions=sessions
    )
