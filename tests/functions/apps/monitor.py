"""Looks again and again, with timers in between, until something is so."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.functions as func

import durable_ext as df

app = df.DFApp()
looked: list[str] = []


@app.function_name(name="HttpStart")
@app.route(route="monitor", auth_level=func.AuthLevel.ANONYMOUS)
@app.durable_client_input(client_name="starter")
async def http_start(req: func.HttpRequest, starter: str) -> func.HttpResponse:
    client = df.DurableOrchestrationClient(starter)
    instance_id = await client.start_new("E3_Monitor", None, {"repo": "mine", "times": 3})
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context", orchestration="E3_Monitor")
def monitor(context: df.DurableOrchestrationContext) -> Generator[Any, Any, str]:
    request: Any = context.get_input()
    expiring = context.current_utc_datetime + timedelta(hours=1)
    while context.current_utc_datetime < expiring:
        too_many = yield context.call_activity("E3_TooManyOpenIssues", request)
        if too_many:
            yield context.call_activity(send_alert, request["repo"])
            return "alerted"
        context.set_custom_status({"looked": True})
        yield context.create_timer(context.current_utc_datetime + timedelta(milliseconds=5))
    return "expired"


@app.activity_trigger(input_name="request", activity="E3_TooManyOpenIssues")
def too_many_open_issues(request: dict[str, Any]) -> bool:
    looked.append(request["repo"])
    return len(looked) >= request["times"]


@app.activity_trigger(input_name="repo")
async def send_alert(repo: str) -> None:
    looked.append(f"alert {repo}")
