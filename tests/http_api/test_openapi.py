"""The OpenAPI document holds together, and answers have the shapes it says."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from durable_ext.http_api.app import Served, create_app
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.openapi import document
from durable_ext.http_api.routes import ROUTES
from durable_ext.records.instance import RuntimeStatus

from .asking import BASE, ask
from .store import Hub

ROOT = Path(__file__).parents[2]
VERBS = {"get", "post", "delete"}


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    paths = document(ROUTES, BASE)["paths"]
    return [(path, verb, operation) for path, found in paths.items() for verb, operation in found.items()]


def references(value: Any) -> set[str]:
    return set(re.findall(r'"\$ref": "([^"]+)"', json.dumps(value)))


def test_it_is_served_as_it_is_made() -> None:
    served = ask(Hub(), "GET openapi.json").json()
    assert served["openapi"].startswith("3.1")
    assert served["servers"] == [{"url": BASE}]
    assert set(served["paths"]) == {path for path, _, _ in operations()}


def test_every_route_is_there_once() -> None:
    assert len(operations()) == len(ROUTES)
    assert {verb for _, verb, _ in operations()} == VERBS


@pytest.mark.parametrize(("path", "verb", "operation"), operations())
def test_operations_hold_together(path: str, verb: str, operation: dict[str, Any]) -> None:
    in_path = [param["name"] for param in operation["parameters"] if param["in"] == "path"]
    assert in_path == re.findall(r"{(\w+)}", path)
    names = [(param["in"], param["name"]) for param in operation["parameters"]]
    assert len(names) == len(set(names))
    assert all(param["required"] for param in operation["parameters"] if param["in"] == "path")
    assert operation["summary"].endswith(".")
    assert all(answer["description"].endswith(".") for answer in operation["responses"].values())
    assert verb == "post" or "requestBody" not in operation


def test_every_reference_leads_somewhere_and_every_schema_is_used() -> None:
    whole = document(ROUTES, BASE)
    assert references(whole) == {f"#/components/schemas/{name}" for name in whole["components"]["schemas"]}


def schema(name: str) -> dict[str, Any]:
    return document(ROUTES, BASE)["components"]["schemas"][name]


def test_answers_have_the_fields_they_say() -> None:
    hub = Hub()
    hub.add("a", RuntimeStatus.COMPLETED)
    hub.add_quarantined("m")
    answers = {
        "StatusView": ask(hub, "GET instances/a?showHistory=true&showProgress=true").json(),
        "Quarantined": ask(hub, "GET quarantine").json()[0],
        "Links": ask(hub, "POST orchestrators/greet").json(),
        "Problem": ask(hub, "POST orchestrators/nobody").json(),
        "Purged": ask(hub, "DELETE instances/a").json(),
        "Index": ask(hub, "GET ").json(),
    }
    for name, answer in answers.items():
        assert set(schema(name)["properties"]) - {"failure", "stuck", "forced"} == set(answer)  # where they apply
        assert set(schema(name)["required"]) <= set(answer)
    assert set(schema("Problem")["required"]) == set(ask(hub, "GET instances/nobody").json())


def test_it_tells_limits() -> None:
    whole = document(ROUTES, BASE, HttpLimits(body=12345))
    terminate = whole["paths"]["/instances/{id}/terminate"]["post"]
    assert "12345 bytes" in terminate["requestBody"]["description"]
    assert {"408", "413", "415"} <= terminate["responses"].keys()
    longest = {param["name"]: param["schema"].get("maxLength") for param in terminate["parameters"]}
    assert longest["id"] == 256
    assert whole["components"]["schemas"]["StatusList"]["maxItems"] == 1000


def test_it_tells_of_keys_where_they_are_asked_for() -> None:
    assert "security" not in document(ROUTES, BASE)
    served = ask(create_app(Hub().client, served=Served(asks_keys=True)), "GET openapi.json").json()
    schemes = served["components"]["securitySchemes"]
    assert {(scheme["in"], scheme["name"]) for scheme in schemes.values()} == {
        ("header", "x-functions-key"),
        ("query", "code"),
    }
    assert served["security"] == [{name: []} for name in schemes]
    assert all("401" in operation["responses"] for path in served["paths"].values() for operation in path.values())


def test_queries_that_are_read_are_described() -> None:
    described = {param["name"] for _, _, operation in operations() for param in operation["parameters"]}
    assert described >= {
        "timeout",
        "pollingInterval",
        "version",
        "showHistory",
        "showHistoryOutput",
        "showProgress",
        "showInput",
        "returnInternalServerErrorOnFailure",
        "createdTimeFrom",
        "createdTimeTo",
        "runtimeStatus",
        "instanceIdPrefix",
        "top",
        "reason",
        "restartWithNewInstanceId",
        "x-ms-continuation-token",
    }


def test_the_guide_names_every_route_query_and_code_word() -> None:
    guide = (ROOT / "docs" / "http-api.md").read_text(encoding="utf-8")
    routes = {f"`{route.method} {route.path.replace('...', '') or '/'}`" for route in ROUTES}
    queries = {f"`{param.name}`" for route in ROUTES for param in route.params}
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "durable_ext" / "http_api").glob("*.py")]
    words = {f"`{word}`" for source in sources for word in re.findall(r'Refusal\(\d+, "(\w+)"', source)}
    assert len(words) > 10
    assert [name for name in sorted(routes | queries | words) if name not in guide] == []


def test_the_index_leads_to_the_routes() -> None:
    index = ask(Hub(), "GET http://hub.example/api/durabletask").json()
    assert index["openapi"] == f"{BASE}/openapi.json"
    assert ask(Hub(), f"GET {index['openapi']}").status_code == 200
    assert {"method": "DELETE", "path": "/instances/{id}", "summary": "Purge an ended instance."} in index["routes"]
    assert ask(Hub(), "GET http://hub.example/api/durabletask/").json() == index
