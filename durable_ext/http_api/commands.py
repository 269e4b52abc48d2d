"""Starting instances and telling them something."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import msgspec
from starlette.datastructures import QueryParams
from starlette.responses import Response

from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import ConfigurationError, InstanceNotFoundError, InstanceStateError, StorageUnavailableError
from durable_ext.http_api import statuses
from durable_ext.http_api.bodies import event_data, start_input, termination_output
from durable_ext.http_api.calls import Call, accepted, json_response
from durable_ext.http_api.pages import row_size
from durable_ext.http_api.queries import flag, waiting_time
from durable_ext.http_api.refusals import Refusal
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client import Client, StartOptions

_log = logging.getLogger("durable_ext.http_api")

# When to ask for the status of what was just started.
_FIRST_LOOK_SECONDS = "10"


@dataclass(frozen=True)
class Waiting:
    """Whether a start waits for the end, and what a failed end answers. Read before anything is started."""

    timeout: timedelta | None
    failed_is_500: bool


def _waiting(query: QueryParams) -> Waiting:
    return Waiting(waiting_time(query), flag(query, "returnInternalServerErrorOnFailure", False))


async def start(call: Call) -> Response:
    """Start an orchestration."""
    waiting = _waiting(call.query)
    data = start_input(await call.body())
    options = StartOptions(version=call.query.get("version") or None)
    client = await call.client()
    with_id = call.params.get("id")
    starting = client.start(call.params["name"], data, instance_id=with_id, options=options)
    return await _started(call, client, starting, waiting)


async def restart(call: Call) -> Response:
    """Start the orchestration of an instance again, with the same input."""
    waiting = _waiting(call.query)
    new_id = flag(call.query, "restartWithNewInstanceId", True)
    instance_id = call.instance_id
    client = await call.client()
    return await _started(call, client, client.restart(instance_id, new_instance_id=new_id), waiting)


async def _started(call: Call, client: Client, starting: Awaitable[str], waiting: Waiting) -> Response:
    try:
        with client.telemetry.incoming(call.request.headers):
            instance_id = await starting
    except ConfigurationError as error:
        raise Refusal(400, "unknown_orchestrator", str(error)) from error
    ended = None if waiting.timeout is None else await _ended(client, instance_id, waiting.timeout)
    if ended is None:
        urls = call.urls(instance_id)
        return json_response(urls, 202, {"Location": urls["statusQueryGetUri"], "Retry-After": _FIRST_LOOK_SECONDS})
    call.share.keep(row_size(ended.row, with_input=True))
    if ended.runtime_status is RuntimeStatus.COMPLETED:
        return json_response(statuses.output_of(ended.row))
    failed = ended.runtime_status is RuntimeStatus.FAILED and waiting.failed_is_500
    return json_response(statuses.view(ended), 500 if failed else 200)


async def _ended(client: Client, instance_id: str, timeout: timedelta) -> InstanceStatus | None:  # noqa: ASYNC109
    try:
        return await client.wait_for_completion(instance_id, timeout)
    except TimeoutError:
        return None
    except (StorageUnavailableError, InstanceNotFoundError) as error:
        # The start is done: to answer with an error would invite a second one.
        _log.warning("waiting for instance %r ended early: %s", instance_id, error)
        return None


async def raise_event(call: Call) -> Response:
    """Raise an external event."""
    instance_id = call.instance_id
    data: msgspec.Raw = event_data(await call.body())
    client = await call.client()
    with client.telemetry.incoming(call.request.headers):
        await client.raise_event(instance_id, call.params["eventName"], data)
    return accepted()


async def terminate(call: Call) -> Response:
    """End an instance and its children; its status shows the output in the body, by default the reason."""
    instance_id = call.instance_id
    output = termination_output(await call.body())
    await (await call.client()).terminate(instance_id, call.query.get("reason", ""), output=output)
    return accepted()


async def suspend(call: Call) -> Response:
    """Suspend an instance; one that is suspended stays so."""
    return await _command(call, lambda client: client.suspend)


async def resume(call: Call) -> Response:
    """Resume an instance; one that is not suspended goes on."""
    return await _command(call, lambda client: client.resume)


async def _command(call: Call, command: Callable[[Client], Callable[[str, str], Awaitable[None]]]) -> Response:
    instance_id = call.instance_id
    await command(await call.client())(instance_id, call.query.get("reason", ""))
    return accepted()


async def rewind(call: Call) -> Response:
    """Let a failed instance go on from before its failure."""
    instance_id = call.instance_id
    client = await call.client()
    try:
        await client.rewind(instance_id, call.query.get("reason", ""))
    except InstanceStateError as error:
        found = await client.get(instance_id, with_input=False)
        if found is None or found.runtime_status.is_terminal:
            raise
        raise Refusal(412, "instance_running", str(error)) from error
    return accepted()
