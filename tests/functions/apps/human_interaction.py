"""A challenge that somebody has to answer, against a timer."""

from collections.abc import Generator
from datetime import timedelta
from typing import Any

import azure.functions as func

import durable_ext as df

app = df.DFApp(http_auth_level=func.AuthLevel.ANONYMOUS)


@app.route(route="verify/{seconds}")
@app.durable_client_input(client_name="client")
async def verify(req: func.HttpRequest, client: df.DurableOrchestrationClient) -> func.HttpResponse:
    seconds = float(req.route_params["seconds"])
    instance_id = await client.start_new("sms_phone_verification", None, {"phone": "+1", "seconds": seconds})
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context")
def sms_phone_verification(context: df.DurableOrchestrationContext) -> Generator[Any, Any, bool]:
    given: Any = context.get_input()
    code = yield context.call_activity("send_sms_challenge", given["phone"])
    expiration = context.current_utc_datetime + timedelta(seconds=given["seconds"])
    timeout_task: Any = context.create_timer(expiration)
    authorized = False
    for _ in range(3):
        context.set_custom_status("waiting")
        challenge_response_task: Any = context.wait_for_external_event("SmsChallengeResponse")
        winner = yield context.task_any([challenge_response_task, timeout_task])
        if winner == challenge_response_task:
            if challenge_response_task.result == code:
                authorized = True
                break
        else:
            break
    if not timeout_task.is_completed:
        timeout_task.cancel()
    return authorized


@app.activity_trigger(input_name="phone")
def send_sms_challenge(phone: str) -> int:
    return 4711
