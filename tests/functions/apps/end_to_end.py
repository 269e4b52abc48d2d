"""Nearly everything that version 1 of azure-functions-durable has, with a route for each call of its client."""

import json
from collections.abc import Generator
from datetime import UTC, datetime, timedelta
from typing import Any

import azure.functions as func

import durable_ext as df

Code = Generator[Any, Any, Any]
Context = df.DurableOrchestrationContext
Client = df.DurableOrchestrationClient

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)
attempts: dict[str, int] = {}


def as_json(value: Any, status_code: int = 200) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(value, default=str), status_code=status_code, mimetype="application/json")


# Routes: what the client can do.


@app.route(route="start/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def start(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    body = req.get_body()
    instance_id = await client.start_new(
        orchestration_function_name=req.route_params["name"],
        instance_id=req.params.get("id"),
        client_input=json.loads(body) if body else None,
        version=req.params.get("version"),
    )
    return client.create_check_status_response(req, instance_id)


@app.route(route="start_sync/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
def start_sync(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    instance_id = client.start_new(req.route_params["name"], client_input="sync")
    return client.wait_for_completion_or_create_check_status_response(req, instance_id, 30_000, 100)


@app.route(route="wait/{name}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def wait(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    instance_id = await client.start_new(req.route_params["name"], client_input=json.loads(req.get_body() or b"null"))
    return await client.wait_for_completion_or_create_check_status_response(
        req, instance_id, timeout_in_milliseconds=30_000, retry_interval_in_milliseconds=100
    )


@app.route(route="status/{id}")
@app.durable_client_input(client_name="client")
async def status(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    found = await client.get_status(
        req.route_params["id"], show_history=True, show_history_output=True, show_input=True
    )
    return as_json(found.to_json()) if found else as_json(None, 404)


@app.route(route="statuses")
@app.durable_client_input(client_name="client")
async def statuses(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    if not req.params:
        return as_json([found.instance_id for found in await client.get_status_all()])
    names = req.params["statuses"].split(",")
    found = await client.get_status_by(
        created_time_from=datetime(2000, 1, 1, tzinfo=UTC),
        created_time_to=datetime(2100, 1, 1, tzinfo=UTC),
        runtime_status=[df.OrchestrationRuntimeStatus[name] for name in names],
        instance_id_prefix=req.params.get("prefix"),
    )
    return as_json([item.instance_id for item in found])


@app.route(route="raise/{id}/{event}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def raise_event(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    try:
        await client.raise_event(req.route_params["id"], req.route_params["event"], json.loads(req.get_body()))
    except Exception as error:  # noqa: BLE001 - as people write it: 404 and 410 are exceptions
        return as_json(str(error), 400)
    return as_json(None, 202)


@app.route(route="command/{command}/{id}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def command(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    call: Any = getattr(client, req.route_params["command"])
    await call(req.route_params["id"], "because I say so")
    return as_json(None, 202)


@app.route(route="restart/{id}", methods=["POST"])
@app.durable_client_input(client_name="client")
async def restart(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    new_id = await client.restart(req.route_params["id"], restart_with_new_instance_id="new" in req.params)
    return client.create_check_status_response(req, new_id)


@app.route(route="purge/{id}", methods=["DELETE"])
@app.durable_client_input(client_name="client")
async def purge(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    result = await client.purge_instance_history(req.route_params["id"])
    return as_json(result.instances_deleted)


@app.route(route="purge", methods=["DELETE"])
@app.durable_client_input(client_name="client")
async def purge_by(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    result = await client.purge_instance_history_by(
        created_time_from=datetime(2000, 1, 1, tzinfo=UTC),
        runtime_status=[df.OrchestrationRuntimeStatus.Completed, df.OrchestrationRuntimeStatus.Failed],
    )
    return as_json(result.instances_deleted)


@app.route(route="payload/{id}")
@app.durable_client_input(client_name="client")
async def payload(req: func.HttpRequest, client: Client) -> func.HttpResponse:
    return as_json(client.create_http_management_payload(req.route_params["id"]))


# Activities.


@app.activity_trigger(input_name="city")
def say_hello(city: str) -> str:
    return f"Hello {city}!"


@app.activity_trigger(input_name="number", activity="Square")
async def square(number: int) -> int:
    return number * number


@app.activity_trigger(input_name="key")
def flaky(key: str) -> int:
    attempts[key] = attempts.get(key, 0) + 1
    if attempts[key] < 3:
        raise RuntimeError(f"attempt {attempts[key]} of {key} fails")
    return attempts[key]


@app.activity_trigger(input_name="text")
def failing(text: str) -> None:
    raise ValueError(text)


# Orchestrators.


@app.orchestration_trigger(context_name="context")
def chain(context: Context) -> Code:
    cities: Any = context.get_input() or ["Tokyo", "Seattle"]
    found: list[str] = []
    for city in cities:
        found.append((yield context.call_activity(say_hello, city)))
        context.set_custom_status({"done": len(found)})
    return found


@app.orchestration_trigger(context_name="context")
def fan_out(context: Context) -> Code:
    tasks = [context.call_activity("Square", number) for number in range(10)]
    results = yield context.task_all(tasks)
    return sum(results)


@app.orchestration_trigger(context_name="context")
def nothing_to_do(context: Context) -> Code:
    return (yield context.task_all([]))


@app.orchestration_trigger(context_name="context")
def parent(context: Context) -> Code:
    first = yield context.call_sub_orchestrator("chain", ["Oslo"])
    second = yield context.call_sub_orchestrator("chain", ["Rome"], instance_id=f"{context.instance_id}-child")
    third = yield context.call_sub_orchestrator_with_retry("retries", df.RetryOptions(1, 2), f"{context.instance_id}-x")
    return [first, second, third]


@app.orchestration_trigger(context_name="context")
def retries(context: Context) -> Code:
    options = df.RetryOptions(first_retry_interval_in_milliseconds=1, max_number_of_attempts=3)
    return (yield context.call_activity_with_retry("flaky", options, context.get_input()))


@app.orchestration_trigger(context_name="context")
def too_few_retries(context: Context) -> Code:
    try:
        yield context.call_activity_with_retry("failing", df.RetryOptions(1, 2), "no luck")
    except Exception as error:  # noqa: BLE001 - as people write it
        return f"caught: {'no luck' in str(error)}"


@app.orchestration_trigger(context_name="context")
def uncaught(context: Context) -> Code:
    yield context.call_activity("failing", "nobody catches this")


@app.orchestration_trigger(context_name="context")
def rewound(context: Context) -> Code:
    return (yield context.call_activity("flaky", "rewound"))


@app.orchestration_trigger(context_name="context")
def counting_down(context: Context) -> Code:
    left: Any = context.get_input()
    if left > 0:
        yield context.call_activity("Square", left)
        context.continue_as_new(left - 1)
        return None
    return "done"


@app.orchestration_trigger(context_name="context")
def two_events(context: Context) -> Code:
    first = yield context.wait_for_external_event("e")
    second = yield context.wait_for_external_event("e")
    both = yield context.task_all([context.wait_for_external_event("a"), context.wait_for_external_event("b")])
    return [first, second, *both]


@app.orchestration_trigger(context_name="context")
def event_or_timer(context: Context) -> Code:
    timer: Any = context.create_timer(context.current_utc_datetime + timedelta(milliseconds=1))
    event: Any = context.wait_for_external_event("never")
    winner = yield context.task_any([event, timer])
    return {"timer": winner == timer, "event": winner is event, "completed": timer.is_completed}


@app.orchestration_trigger(context_name="context")
def first_of(context: Context) -> Code:
    slow: Any = context.create_timer(context.current_utc_datetime + timedelta(days=400))
    task: Any = context.call_activity("failing", "first")
    winner = yield context.task_any([slow, task])
    slow.cancel()
    return {"failed": winner is task, "message": "first" in str(winner.result), "cancelled": slow.is_cancelled}


@app.orchestration_trigger(context_name="context")
def ids(context: Context) -> Code:
    made = [context.new_uuid(), str(context.new_guid())]
    yield context.call_activity("Square", 2)
    made.append(context.new_uuid())
    assert context.parent_instance_id is None
    assert context.current_utc_datetime.tzinfo is not None
    return {"distinct": len(set(made)), "id": context.instance_id, "version": context.version}


@app.orchestration_trigger(context_name="context")
def fails_fast(context: Context) -> Code:
    try:
        yield context.task_all([context.call_activity("failing", "fast"), context.wait_for_external_event("never")])
    except Exception as error:  # noqa: BLE001 - as people write it
        return "fast" in str(error)


@app.orchestration_trigger(context_name="context")
def no_yield(context: Context) -> Any:
    return {"given": context.get_input()}


@app.orchestration_trigger(context_name="context")
def falsy_status(context: Context) -> Code:
    context.set_custom_status(0)
    yield context.wait_for_external_event("go")
    return context.get_input()
