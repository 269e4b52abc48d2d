"""The OpenAPI 3.1 document, made from the route table and from the very records that are sent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from durable_ext.http_api.endpoints import Answer, Endpoint, Param
from durable_ext.http_api.entities import EntityView
from durable_ext.http_api.instances import Purged
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.links import management_urls
from durable_ext.http_api.refusals import Problem
from durable_ext.http_api.statuses import StatusView
from durable_ext.records.limits import MAX_INSTANCE_ID, MAX_NAME, MAX_PAGE
from durable_ext.records.messages import Quarantined

# Of this API, not of the package: it changes when a client can tell the difference.
API_VERSION = "1.0"

_REFERENCE = "#/components/schemas/{name}"
_HUB_ANSWERS = {
    500: Answer("The request failed unexpectedly.", "Problem"),
    503: Answer("Storage does not answer; Retry-After says when to try again.", "Problem"),
}

_BODY_ANSWERS = {
    408: Answer("The body takes too long to arrive.", "Problem"),
    413: Answer("The body is too large.", "Problem"),
    415: Answer("The body is not sent as JSON.", "Problem"),
}
_KEY_ANSWERS = {401: Answer("A key is missing or wrong.")}
_KEYS = {
    "keyInHeader": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
    "keyInQuery": {"type": "apiKey", "in": "query", "name": "code"},
}
# Of path parameters, in characters. What `id` names depends on the route.
_LONGEST = {"name": MAX_NAME, "eventName": MAX_NAME}


def document(
    routes: Iterable[Endpoint],
    base_url: str,
    limits: HttpLimits = HttpLimits(),  # noqa: B008 - frozen
    *,
    asks_keys: bool = False,
) -> dict[str, Any]:
    """The document of these routes, served at `base_url` within limits; with the keys that callers need, if any."""
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        path = "/" + route.path.replace("...}", "}")
        answers = answers_of(route) | (_KEY_ANSWERS if asks_keys else {})
        paths.setdefault(path, {})[route.method.lower()] = _operation(route, answers, limits)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Management API of durable_ext", "version": API_VERSION},
        "servers": [{"url": base_url}],
        "paths": paths,
        "components": {"schemas": _schemas()} | ({"securitySchemes": _KEYS} if asks_keys else {}),
    } | ({"security": [{name: []} for name in _KEYS]} if asks_keys else {})


def answers_of(route: Endpoint) -> dict[int, Answer]:
    """What a route may answer, with what every route over a hub may, and every one that reads a body."""
    common = {**(_HUB_ANSWERS if route.uses_hub else {}), **(_BODY_ANSWERS if route.body else {})}
    return {**common, **route.answers}


def _operation(route: Endpoint, answers: Mapping[int, Answer], limits: HttpLimits) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.summary,
        "parameters": [*_path_parameters(route.path), *map(_parameter, route.params)],
        "responses": {str(status): _response(answer) for status, answer in sorted(answers.items())},
    }
    if route.body:
        text = f"{route.body} At most {limits.body} bytes."
        operation["requestBody"] = {"description": text, "content": {"application/json": {"schema": {}}}}
    return operation


def _path_parameters(path: str) -> list[dict[str, Any]]:
    names = [segment.strip("{.}") for segment in path.split("/") if segment.startswith("{")]
    longest = MAX_INSTANCE_ID if path.startswith(("instances", "orchestrators")) else None
    return [
        {"name": name, "in": "path", "required": True, "schema": _text(longest if name == "id" else _LONGEST.get(name))}
        for name in names
    ]


def _text(longest: int | None) -> dict[str, Any]:
    return {"type": "string"} if longest is None else {"type": "string", "minLength": 1, "maxLength": longest}


def _parameter(param: Param) -> dict[str, Any]:
    described: dict[str, Any] = {
        "name": param.name,
        "in": param.place,
        "description": param.text,
        "schema": dict(param.schema),
    }
    if param.required:
        described["required"] = True
    if param.schema["type"] == "array":
        described["explode"] = False
    return described


def _response(answer: Answer) -> dict[str, Any]:
    if not answer.shape:
        return {"description": answer.text}
    schema = {"$ref": _REFERENCE.format(name=answer.shape)}
    return {"description": answer.text, "content": {"application/json": {"schema": schema}}}


def _schemas() -> dict[str, Any]:
    _, records = msgspec.json.schema_components(
        (Problem, StatusView, EntityView, Purged, Quarantined), ref_template=_REFERENCE
    )
    url = {"type": "string"}
    links = dict.fromkeys(management_urls("", "id"), url)
    route = {"type": "object", "properties": dict.fromkeys(("method", "path", "summary"), url)}
    return {
        **records,
        "Any": {},
        "Links": {"type": "object", "properties": links, "required": sorted(links)},
        "Index": {
            "type": "object",
            "properties": {"openapi": url, "routes": {"type": "array", "items": route}},
            "required": ["openapi", "routes"],
        },
        "StatusList": _list_of("StatusView"),
        "EntityList": _list_of("EntityView"),
        "QuarantinedList": _list_of("Quarantined"),
        "StatusOrProblem": {"anyOf": [{"$ref": _REFERENCE.format(name=name)} for name in ("StatusView", "Problem")]},
    }


def _list_of(name: str) -> dict[str, Any]:
    return {"type": "array", "maxItems": MAX_PAGE, "items": {"$ref": _REFERENCE.format(name=name)}}
