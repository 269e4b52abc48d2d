"""A counter entity: signalled and read by a client, called by an orchestration."""

import json
from collections.abc import Generator
from typing import Any

import azure.functions as func

import durable_ext as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.entity_trigger(context_name="context", entity_name="Counter")
def counter(context: df.DurableEntityContext) -> None:
    current_value = context.get_state(lambda: 0)
    operation = context.operation_name
    if operation == "add":
        current_value += context.get_input()
    elif operation == "reset":
        current_value = 0
    elif operation == "leave":
        context.destruct_on_exit()
        return
    elif operation == "refuse":
        raise ValueError("not that")
    context.set_state(current_value)
    context.set_result(current_value)


@app.orchestration_trigger(context_name="context")
def counting(context: df.DurableOrchestrationContext) -> Generator[Any, Any, list[int]]:
    entity_id = df.EntityId("Counter", context.get_input())
    before = yield context.call_entity(entityId=entity_id, operationName="get")
    added = yield context.call_entity(entity_id, "add", 10)
    after = yield context.call_entity(entity_id, "get")
    return [before, added, after]


@app.orchestration_trigger(context_name="context")
def leaving(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    entity_id = df.EntityId("Counter", context.get_input())
    refused = ""
    try:
        yield context.call_entity(entity_id, "refuse")
    except Exception as error:  # noqa: BLE001 - as people write it
        refused = "refused" if "not that" in str(error) else str(error)
    context.signal_entity(entity_id, "leave")
    return refused


@app.route(route="signal/{key}")
@app.durable_client_input(client_name="client")
async def signal(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    entity_id = df.EntityId(name="Counter", key=req.route_params["key"])
    await client.signal_entity(entityId=entity_id, operation_name="add", operation_input=req.get_json())
    return func.HttpResponse(status_code=202)


@app.route(route="read/{key}")
@app.durable_client_input(client_name="client")
async def read(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    found = await client.read_entity_state(df.EntityId("Counter", req.route_params["key"]))
    return func.HttpResponse(json.dumps({"exists": found.entity_exists, "state": found.entity_state}))


@app.route(route="read_sync/{key}")
@app.durable_client_input(client_name="client")
def read_sync(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    found = client.read_entity_state(df.EntityId("Counter", req.route_params["key"]))
    return func.HttpResponse(json.dumps({"exists": found.entity_exists, "state": found.entity_state}))


@app.route(route="count/{key}")
@app.durable_client_input(client_name="client")
async def count(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new("counting", client_input=req.route_params["key"])
    return client.create_check_status_response(req, instance_id)


@app.route(route="leave/{key}")
@app.durable_client_input(client_name="client")
async def leave(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    instance_id = await client.start_new("leaving", client_input=req.route_params["key"])
    return client.create_check_status_response(req, instance_id)
