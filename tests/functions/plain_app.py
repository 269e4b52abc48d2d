"""An app for the real worker: a plain func.FunctionApp, two durable blueprints, a function that is no coroutine."""

from __future__ import annotations

import azure.functions as func

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.functions import BlockingClient, DurableBlueprint

work = DurableBlueprint()
doors = DurableBlueprint()


@work.activity
def shout(text: str) -> str:
    return text.upper()


@work.orchestrator
async def shouting(ctx: OrchestrationContext) -> str:
    return await ctx.call_activity(shout, "hello")


@doors.durable_client_input(client_name="client")
@doors.route(route="orchestrators/{name}", methods=["POST"])
def start(req: func.HttpRequest, client: BlockingClient) -> func.HttpResponse:
    return client.create_check_status_response(req, client.start_new(req.route_params["name"]))


app = func.FunctionApp()
app.register_functions(work)
app.register_functions(doors)
