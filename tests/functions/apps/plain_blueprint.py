"""A durable blueprint in a plain function app."""

from collections.abc import Generator
from typing import Any

import azure.functions as func

import durable_ext as df

bp = df.Blueprint()


@bp.route(route="startOrchestrator")
@bp.durable_client_input(client_name="client")
async def start_orchestrator(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new("my_orchestrator")
    return client.create_check_status_response(req, instance_id)


@bp.orchestration_trigger(context_name="context")
def my_orchestrator(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    result = yield context.call_activity("say_hello", "Seattle")
    return result


@bp.activity_trigger(input_name="city")
def say_hello(city: str) -> str:
    return f"Hello {city}!"


app = func.FunctionApp(http_auth_level=func.AuthLevel.ANONYMOUS)
app.register_functions(bp)


@app.route(route="ping")
def ping(req: func.HttpRequest) -> str:
    return "pong"
