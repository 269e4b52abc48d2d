"""Every route of the API, once: the server, its index and its OpenAPI document are made from this table."""

from __future__ import annotations

import dataclasses

from starlette.responses import Response

from durable_ext.http_api import commands, entities, instances, quarantine
from durable_ext.http_api.calls import Call, json_response
from durable_ext.http_api.continuations import CONTINUATION
from durable_ext.http_api.endpoints import Answer, Endpoint, Param
from durable_ext.http_api.openapi import document
from durable_ext.http_api.queries import LONGEST_WAIT, PAGE
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.limits import MAX_INSTANCE_ID, MAX_PAGE


async def show_index(call: Call) -> Response:
    """What there is."""
    routes = [{"method": route.method, "path": f"/{route.path}", "summary": route.summary} for route in ROUTES]
    return json_response({"openapi": f"{call.base_url}/openapi.json", "routes": routes})


async def show_openapi(call: Call) -> Response:
    """The OpenAPI document of this very table."""
    return json_response(document(ROUTES, call.base_url, call.limits, asks_keys=call.asks_keys))


def _flag(name: str, default: bool, text: str) -> Param:
    return Param(name, {"type": "boolean", "default": default}, text)


_STATUS_NAMES = {"type": "array", "items": {"type": "string", "enum": [status.value for status in RuntimeStatus]}}
_SECONDS = {"type": "number", "minimum": 0, "maximum": LONGEST_WAIT.total_seconds()}

_SHOW_INPUT = _flag("showInput", True, "Whether inputs are shown.")
_FAILED_IS_500 = _flag("returnInternalServerErrorOnFailure", False, "Answer 500 instead of 200 for a failed instance.")
_REASON = Param("reason", {"type": "string", "default": ""}, "Kept in the history.")
_FROM = Param(
    "createdTimeFrom", {"type": "string", "format": "date-time"}, "Created then or later; UTC without offset."
)
_TO = Param("createdTimeTo", {"type": "string", "format": "date-time"}, "Created then or earlier; UTC without offset.")
_MODIFIED_FROM = Param(
    "lastOperationTimeFrom",
    {"type": "string", "format": "date-time"},
    "Last operation then or later; UTC without offset.",
)
_MODIFIED_TO = Param(
    "lastOperationTimeTo",
    {"type": "string", "format": "date-time"},
    "Last operation then or earlier; UTC without offset.",
)
_STATUSES = Param("runtimeStatus", _STATUS_NAMES, "Statuses, separated by commas.")
_PREFIX = Param("instanceIdPrefix", {"type": "string", "maxLength": MAX_INSTANCE_ID}, "How the instance id begins.")
_TOP = Param(
    "top", {"type": "integer", "minimum": 1, "default": PAGE}, f"Most items of the answer, {MAX_PAGE} at most."
)
_CONTINUE = Param(CONTINUATION, {"type": "string"}, "From the header of this name of the page before.", "header")
_WAIT = (
    Param("timeout", _SECONDS, "Wait so many seconds for the end; by default not at all."),
    Param("pollingInterval", _SECONDS, "Taken for compatibility; not above timeout."),
    _FAILED_IS_500,
)

_BAD = Answer("A value in the path, the query, a header or the body is wrong.", "Problem")
_UNKNOWN = Answer("There is no such instance.", "Problem")
_TAKEN = Answer("The instance id is taken by an instance that has not ended.", "Problem")
_NO_ORCHESTRATOR = Answer("A value is wrong, or there is no such orchestrator.", "Problem")
_STARTED = {
    200: Answer("It ended within the timeout: the output of a completed one, else its status.", "Any"),
    202: Answer("It was started; Location is its status.", "Links"),
    400: _NO_ORCHESTRATOR,
    500: Answer("It failed within the timeout, or the request failed unexpectedly.", "StatusOrProblem"),
}
_SENT = {
    202: Answer("The command is on its way."),
    400: _BAD,
    404: _UNKNOWN,
    410: Answer("The instance has ended.", "Problem"),
}
_PURGED = Answer("How many instances were purged.", "Purged")
_NO_ENTITY = Answer("The app has no entity of this name.", "Problem")
_NO_MESSAGE = Answer("There is no such message.", "Problem")


def _start(path: str, summary: str, answers: dict[int, Answer]) -> Endpoint:
    return Endpoint(
        "POST",
        path,
        commands.start,
        summary,
        answers,
        (Param("version", {"type": "string"}, "Version of the instance."), *_WAIT),
        body="The input; none is null. A JSON string that holds JSON text means that JSON.",
        starts=True,
    )


def _entities(path: str, summary: str) -> Endpoint:
    answers = {200: Answer("A page of entities, which may be short.", "EntityList"), 400: _BAD}
    params = (_MODIFIED_FROM, _MODIFIED_TO, _flag("fetchState", False, "Whether states are shown."), _TOP, _CONTINUE)
    return Endpoint("GET", path, entities.list_entities, summary, answers, params)


ROUTES: tuple[Endpoint, ...] = (
    Endpoint("GET", "", show_index, "List the routes.", {200: Answer("The routes.", "Index")}, uses_hub=False),
    Endpoint(
        "GET",
        "openapi.json",
        show_openapi,
        "Describe the routes as OpenAPI.",
        {200: Answer("An OpenAPI document.", "Any")},
        uses_hub=False,
    ),
    _start("orchestrators/{name}", "Start an orchestration under a new id.", _STARTED),
    _start(
        "orchestrators/{name}/{id}",
        "Start an orchestration under an id.",
        {**_STARTED, 409: _TAKEN},
    ),
    Endpoint(
        "GET",
        "instances",
        instances.list_instances,
        "List instances, a page at a time.",
        {200: Answer("A page of instances, which may be short.", "StatusList"), 400: _BAD},
        (
            *(_FROM, _TO, _STATUSES, _PREFIX),
            _flag("stuck", False, "Only instances that are stuck: a message of theirs is in quarantine."),
            *(_SHOW_INPUT, _TOP, _CONTINUE),
        ),
    ),
    Endpoint(
        "DELETE",
        "instances",
        instances.purge_instances,
        "Purge the ended instances among those that match.",
        {200: _PURGED, 400: _BAD, 404: Answer("No ended instance matches.", "Problem")},
        (dataclasses.replace(_FROM, required=True), _TO, _STATUSES, _PREFIX),
    ),
    Endpoint(
        "GET",
        "instances/{id}",
        instances.get_instance,
        "Show an instance.",
        {
            200: Answer("The instance; it has ended.", "StatusView"),
            202: Answer("The instance; it has not ended.", "StatusView"),
            400: _BAD,
            404: _UNKNOWN,
            500: Answer("The instance has failed, or the request failed unexpectedly.", "StatusOrProblem"),
        },
        (
            _flag("showHistory", False, "Whether the history events are shown."),
            _flag("showHistoryOutput", False, "Whether they are shown with results."),
            _flag("showProgress", False, "Whether it is shown what its running activities said last."),
            _SHOW_INPUT,
            _FAILED_IS_500,
            _CONTINUE,
        ),
    ),
    Endpoint(
        "DELETE",
        "instances/{id}",
        instances.purge_instance,
        "Purge an ended instance.",
        {200: _PURGED, 400: _BAD, 404: _UNKNOWN, 412: Answer("The instance has not ended.", "Problem")},
        (_flag("force", False, "Terminate it first if it has not ended, whatever its state, and say what was done."),),
    ),
    Endpoint(
        "POST",
        "instances/{id}/raiseEvent/{eventName...}",
        commands.raise_event,
        "Raise an external event.",
        _SENT,
        body="The data of the event; none is null. A JSON string that holds JSON text means that JSON.",
    ),
    Endpoint(
        "POST",
        "instances/{id}/terminate",
        commands.terminate,
        "End an instance and its children.",
        _SENT,
        (_REASON,),
        body="An object whose `output` the status shows instead of the reason. Any other body is passed over.",
    ),
    Endpoint("POST", "instances/{id}/suspend", commands.suspend, "Suspend an instance.", _SENT, (_REASON,)),
    Endpoint("POST", "instances/{id}/resume", commands.resume, "Resume an instance.", _SENT, (_REASON,)),
    Endpoint(
        "POST",
        "instances/{id}/restart",
        commands.restart,
        "Start the orchestration of an instance again, with the same input.",
        {**_STARTED, 404: _UNKNOWN, 409: _TAKEN},
        (_flag("restartWithNewInstanceId", True, "Whether the new instance gets an id of its own."), *_WAIT),
    ),
    Endpoint(
        "POST",
        "instances/{id}/rewind",
        commands.rewind,
        "Let a failed instance go on from before its failure.",
        {**_SENT, 412: Answer("The instance has not ended.", "Problem")},
        (_REASON,),
    ),
    _entities("entities", "List entities that have a state, a page at a time."),
    _entities("entities/{name}", "List the entities of a name that have a state, a page at a time."),
    Endpoint(
        "GET",
        "entities/{name}/{key}",
        entities.show,
        "Show the state of an entity.",
        {200: Answer("The state.", "Any"), 400: _BAD, 404: Answer("The entity has no state.", "Problem")},
    ),
    Endpoint(
        "POST",
        "entities/{name}/{key}",
        entities.signal,
        "Have an entity run an operation.",
        {202: Answer("The operation is on its way."), 400: _BAD, 404: _NO_ENTITY},
        (Param("op", {"type": "string"}, "The name of the operation.", required=True),),
        body="The input of the operation. A JSON string that holds JSON text means that JSON.",
    ),
    Endpoint(
        "DELETE",
        "entities/{name}/{key}",
        entities.delete,
        "Have an entity run its operation `delete`.",
        {202: Answer("The operation is on its way."), 400: _BAD, 404: _NO_ENTITY},
    ),
    Endpoint(
        "GET",
        "quarantine",
        quarantine.list_messages,
        "List the messages that could not be processed, oldest first.",
        {200: Answer("The messages.", "QuarantinedList"), 400: _BAD},
        (_TOP,),
    ),
    Endpoint(
        "GET",
        "quarantine/{id...}",
        quarantine.show_message,
        "Show a message that could not be processed.",
        {200: Answer("The message.", "Quarantined"), 404: _NO_MESSAGE},
    ),
    Endpoint(
        "POST",
        "quarantine/{id...}/replay",
        quarantine.replay_message,
        "Send a quarantined message again.",
        {202: Answer("The message is on its way."), 404: _NO_MESSAGE},
    ),
    Endpoint(
        "DELETE",
        "quarantine/{id...}",
        quarantine.drop_message,
        "Delete a quarantined message for good.",
        {204: Answer("The message is gone."), 404: _NO_MESSAGE},
    ),
)
