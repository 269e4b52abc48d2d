"""A plain func.FunctionApp with a durable blueprint, as a module under test."""

from __future__ import annotations

import azure.functions as func

from durable_ext import DurableBlueprint, DurableClient, OrchestrationContext

work = DurableBlueprint()


@work.activity
def shout(text: str) -> str:
    return text.upper()


@work.orchestrator
async def shouting(ctx: OrchestrationContext, text: str) -> str:
    return await ctx.call_activity(shout, text)


@work.route(route="shout/{text}", methods=["GET"])
@work.durable_client_input(client_name="client")
async def shout_it(req: func.HttpRequest, client: DurableClient) -> func.HttpResponse:
    instance_id = await client.start_new("shouting", client_input=req.route_params["text"])
    return await client.wait_for_completion_or_create_check_status_response(req, instance_id)


function_app = func.FunctionApp()
function_app.register_functions(work)
