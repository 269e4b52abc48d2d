"""An app for tests of the harness."""

from __future__ import annotations

import asyncio
from collections.abc import Generator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import azure.functions as func

from durable_ext import ActivityContext, DurableApp, DurableClient, OrchestrationContext, RetryPolicy

app = DurableApp()


@dataclass(frozen=True)
class Order:
    number: str
    amount: int = 10


@app.activity
async def charge(ctx: ActivityContext, order: Order) -> int:
    await asyncio.sleep(5)
    return order.amount


@app.activity
def ship(order: Order) -> str:
    return f"shipped {order.number}"


@app.orchestrator
async def process_order(ctx: OrchestrationContext, order: Order) -> str:
    ctx.set_custom_status("charging")
    retry = RetryPolicy(max_attempts=3, first_interval=timedelta(seconds=10))
    await ctx.call_activity(charge, order, retry=retry)
    ctx.set_custom_status("waiting")
    if not await ctx.wait_for_external_event("approval", bool, timeout=timedelta(days=1)):
        return "refused"
    return await ctx.call_activity(ship, order)


@app.orchestrator
async def wait_for_ever(ctx: OrchestrationContext) -> str:
    return await ctx.wait_for_external_event("approval", str)


@app.orchestrator
async def thirty_days(ctx: OrchestrationContext, order: Order) -> list[str]:
    days: list[str] = []
    for _ in range(30):
        await ctx.create_timer(timedelta(days=1))
        days.append(await ctx.call_activity(ship, order))
    return days


@app.orchestrator
def parent(ctx: OrchestrationContext, order: Order) -> Generator[Any, Any, str]:
    result: str = yield ctx.call_sub_orchestrator(child, order)
    return f"child: {result}"


@app.orchestrator
def child(ctx: OrchestrationContext, order: Order) -> Generator[Any, Any, str]:
    result: str = yield ctx.call_activity(ship, order)
    return result


@app.orchestrator
async def many(ctx: OrchestrationContext, count: int) -> list[str]:
    return await asyncio.gather(*[ctx.call_activity(ship, Order(f"{number}")) for number in range(count)])


@app.route(route="orders/{number}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def order(req: func.HttpRequest, client: DurableClient) -> func.HttpResponse:
    wanted = Order(req.route_params["number"], req.get_json()["amount"])
    instance_id = await client.start_new("process_order", instance_id=wanted.number, client_input=wanted)
    return client.create_check_status_response(req, instance_id)


@app.route(route="waits/{number}", methods=["GET"])
@app.durable_client_input(client_name="client")
def waits(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    status = client.wait_for_completion(req.route_params["number"], timedelta(days=3))
    return func.HttpResponse(str(status.output))
