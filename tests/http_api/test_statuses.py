"""Every status that the OpenAPI document promises, once each; and it promises no more and no less."""

from __future__ import annotations

from typing import Any

import pytest

from durable_ext.errors import ConfigurationError, StorageError, StorageUnavailableError
from durable_ext.http_api.app import Served, create_app
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.openapi import answers_of, document
from durable_ext.http_api.routes import ROUTES
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client import Client

from .asking import BASE, JSON, ask, word_of
from .store import Hub, json_payload

# Verb and path of the document, status, the request below the base, body, code word of the refusal.
CASES: list[tuple[str, int, str, bytes, str]] = [
    ("GET /", 200, "GET ", b"", ""),
    ("GET /openapi.json", 200, "GET openapi.json", b"", ""),
    ("POST /orchestrators/{name}", 202, "POST orchestrators/greet", b"1", ""),
    ("POST /orchestrators/{name}", 200, "POST orchestrators/greet?timeout=5", b"1", ""),
    ("POST /orchestrators/{name}", 400, "POST orchestrators/nobody", b"1", "unknown_orchestrator"),
    ("POST /orchestrators/{name}", 413, "POST orchestrators/greet", b"[" + b"1," * 999 + b"1]", "too_large"),
    ("POST /orchestrators/{name}/{id}", 202, "POST orchestrators/greet/new", b"1", ""),
    ("POST /orchestrators/{name}/{id}", 202, "POST orchestrators/greet/done", b"1", ""),
    ("POST /orchestrators/{name}/{id}", 200, "POST orchestrators/greet/new?timeout=5", b"1", ""),
    ("POST /orchestrators/{name}/{id}", 400, "POST orchestrators/greet/@new", b"1", "invalid_value"),
    ("POST /orchestrators/{name}/{id}", 400, "POST orchestrators/greet/new", b"{1}", "invalid_json"),
    ("POST /orchestrators/{name}/{id}", 409, "POST orchestrators/greet/runs", b"1", "instance_exists"),
    ("POST /orchestrators/{name}/{id}", 413, "POST orchestrators/greet/new", b"9" * 2000, "too_large"),
    ("GET /instances", 200, "GET instances", b"", ""),
    ("GET /instances", 200, "GET instances/", b"", ""),
    ("GET /instances", 400, "GET instances?top=0", b"", "invalid_value"),
    ("DELETE /instances", 200, "DELETE instances?createdTimeFrom=2025-01-01", b"", ""),
    ("DELETE /instances", 400, "DELETE instances", b"", "invalid_value"),
    ("DELETE /instances", 404, "DELETE instances?createdTimeFrom=2025-03-02", b"", "nothing_purged"),
    ("GET /instances/{id}", 200, "GET instances/done", b"", ""),
    ("GET /instances/{id}", 200, "GET instances/failed", b"", ""),
    ("GET /instances/{id}", 202, "GET instances/runs", b"", ""),
    ("GET /instances/{id}", 400, "GET instances/runs?showInput=perhaps", b"", "invalid_value"),
    ("GET /instances/{id}", 404, "GET instances/nobody", b"", "unknown_instance"),
    ("GET /instances/{id}", 500, "GET instances/failed?returnInternalServerErrorOnFailure=true", b"", ""),
    ("DELETE /instances/{id}", 200, "DELETE instances/done", b"", ""),
    ("DELETE /instances/{id}", 400, "DELETE instances/@done", b"", "invalid_value"),
    ("DELETE /instances/{id}", 404, "DELETE instances/nobody", b"", "unknown_instance"),
    ("DELETE /instances/{id}", 412, "DELETE instances/runs", b"", "instance_running"),
    ("POST /instances/{id}/raiseEvent/{eventName}", 202, "POST instances/runs/raiseEvent/go", b"1", ""),
    ("POST /instances/{id}/raiseEvent/{eventName}", 400, "POST instances/runs/raiseEvent/go", b"1 1", "invalid_json"),
    ("POST /instances/{id}/raiseEvent/{eventName}", 404, "POST instances/x/raiseEvent/go", b"1", "unknown_instance"),
    ("POST /instances/{id}/raiseEvent/{eventName}", 410, "POST instances/done/raiseEvent/go", b"1", "instance_ended"),
    ("POST /instances/{id}/terminate", 413, "POST instances/x/terminate", b"9" * 2000, "too_large"),
    ("POST /instances/{id}/raiseEvent/{eventName}", 413, "POST instances/x/raiseEvent/go", b"9" * 2000, "too_large"),
    ("POST /instances/{id}/restart", 202, "POST instances/done/restart", b"", ""),
    ("POST /instances/{id}/restart", 200, "POST instances/done/restart?timeout=5", b"", ""),
    ("POST /instances/{id}/restart", 400, "POST instances/done/restart?timeout=soon", b"", "invalid_value"),
    ("POST /instances/{id}/restart", 400, "POST instances/orphan/restart", b"", "unknown_orchestrator"),
    ("POST /instances/{id}/restart", 404, "POST instances/nobody/restart", b"", "unknown_instance"),
    (
        "POST /instances/{id}/restart",
        409,
        "POST instances/runs/restart?restartWithNewInstanceId=false",
        b"",
        "instance_exists",
    ),
    ("POST /instances/{id}/rewind", 202, "POST instances/failed/rewind?reason=why", b"", ""),
    ("POST /instances/{id}/rewind", 400, "POST instances/@runs/rewind", b"", "invalid_value"),
    ("POST /instances/{id}/rewind", 404, "POST instances/nobody/rewind", b"", "unknown_instance"),
    ("POST /instances/{id}/rewind", 410, "POST instances/done/rewind", b"", "instance_ended"),
    ("POST /instances/{id}/rewind", 412, "POST instances/runs/rewind", b"", "instance_running"),
    ("GET /entities", 200, "GET entities", b"", ""),
    ("GET /entities", 400, "GET entities?lastOperationTimeFrom=noon", b"", "invalid_value"),
    ("GET /entities/{name}", 200, "GET entities/counter", b"", ""),
    ("GET /entities/{name}", 400, "GET entities/counter?top=many", b"", "invalid_value"),
    ("GET /entities/{name}/{key}", 200, "GET entities/counter/a", b"", ""),
    ("GET /entities/{name}/{key}", 400, "GET entities/coun%40ter/a", b"", "invalid_value"),
    ("GET /entities/{name}/{key}", 404, "GET entities/counter/nobody", b"", "unknown_instance"),
    ("POST /entities/{name}/{key}", 202, "POST entities/counter/a?op=add", b"1", ""),
    ("POST /entities/{name}/{key}", 400, "POST entities/counter/a", b"1", "invalid_value"),
    ("POST /entities/{name}/{key}", 404, "POST entities/nobody/a?op=add", b"1", "unknown_entity"),
    ("POST /entities/{name}/{key}", 413, "POST entities/counter/a?op=add", b"[" + b"1," * 1000 + b"1]", "too_large"),
    ("DELETE /entities/{name}/{key}", 202, "DELETE entities/counter/a", b"", ""),
    ("DELETE /entities/{name}/{key}", 400, "DELETE entities/coun%40ter/a", b"", "invalid_value"),
    ("DELETE /entities/{name}/{key}", 404, "DELETE entities/nobody/a", b"", "unknown_entity"),
    ("GET /quarantine", 200, "GET quarantine", b"", ""),
    ("GET /quarantine", 400, "GET quarantine?top=many", b"", "invalid_value"),
    ("GET /quarantine/{id}", 200, "GET quarantine/m1", b"", ""),
    ("GET /quarantine/{id}", 404, "GET quarantine/m2", b"", "unknown_message"),
    ("POST /quarantine/{id}/replay", 202, "POST quarantine/m1/replay", b"", ""),
    ("POST /quarantine/{id}/replay", 404, "POST quarantine/m2/replay", b"", "unknown_message"),
    ("DELETE /quarantine/{id}", 204, "DELETE quarantine/m1", b"", ""),
    ("DELETE /quarantine/{id}", 404, "DELETE quarantine/m2", b"", "unknown_message"),
    *(
        (f"POST /instances/{{id}}/{verb}", status, f"POST instances/{instance}/{verb}?reason=why", b"", word)
        for verb in ("terminate", "suspend", "resume")
        for status, instance, word in (
            (202, "runs", ""),
            (400, "@runs", "invalid_value"),
            (404, "nobody", "unknown_instance"),
            (410, "done", "instance_ended"),
        )
    ),
]


class QuickHub(Hub):
    """What is started here completes as soon as its message is sent."""

    def __init__(self, *, fails: bool = False) -> None:
        super().__init__()
        self.add("runs")
        self.add_entity("@counter@a", 5)
        self.add("done", RuntimeStatus.COMPLETED, output=json_payload("well"))
        self.add("orphan", RuntimeStatus.COMPLETED, name="nobody")
        self.add_failed("failed")
        self.add_quarantined("m1")
        send = self.store.send

        async def send_and_end(messages: Any) -> None:
            await send(messages)
            for message in messages:
                if fails:
                    self.add_failed(message.instance_id)
                else:
                    self.add(message.instance_id, RuntimeStatus.COMPLETED, output=json_payload("well"))

        self.store.send = send_and_end


def operation_of(place: str) -> dict[str, Any]:
    method, _, path = place.partition(" ")
    return document(ROUTES, BASE)["paths"][path][method.lower()]


@pytest.mark.parametrize(("place", "status", "request_line", "body", "word"), CASES)
def test_status(place: str, status: int, request_line: str, body: bytes, word: str) -> None:
    response = ask(create_app(QuickHub().client, served=Served(limits=HttpLimits(body=1500))), request_line, body, JSON)
    assert response.status_code == status
    content = operation_of(place)["responses"][str(status)].get("content")
    assert bool(response.content) == bool(content)
    if content:
        assert response.headers["content-type"] == "application/json"
    if word:
        assert word_of(response) == word


@pytest.mark.parametrize("path", ["orchestrators/greet", "orchestrators/greet/new", "instances/done/restart"])
@pytest.mark.parametrize("flagged", ["true", "false"])
def test_a_start_that_fails_in_time_answers_its_status(path: str, flagged: str) -> None:
    query = f"timeout=5&returnInternalServerErrorOnFailure={flagged}"
    response = ask(QuickHub(fails=True), f"POST {path}?{query}")
    assert response.status_code == (500 if flagged == "true" else 200)
    assert response.json()["runtimeStatus"] == "Failed"
    assert response.json()["output"] == "ValueError: no luck"


def test_the_document_promises_what_is_tested() -> None:
    tested = {(place, status) for place, status, *_ in CASES}
    # Tested for every route below, and for every route with a body in test_limits.
    common = {500, 503, 408, 415}
    promised = {
        (f"{route.method} /{route.path.replace('...', '')}", status) for route in ROUTES for status in answers_of(route)
    }
    assert {pair for pair in promised if pair[1] not in common} == {pair for pair in tested if pair[1] not in common}


def refusing_client(error: Exception) -> Any:
    async def client_for() -> Client:
        raise error

    return client_for


def requests_over_the_hub() -> list[str]:
    seen = {place: request for place, status, request, *_ in CASES if status in (200, 202, 204)}
    return [seen[f"{route.method} /{route.path.replace('...', '')}"] for route in ROUTES if route.uses_hub]


@pytest.mark.parametrize("request_line", requests_over_the_hub())
def test_storage_that_does_not_answer(request_line: str) -> None:
    app = create_app(refusing_client(StorageUnavailableError("account secret-name timed out")))
    response = ask(app, request_line, b"1", JSON)
    assert response.status_code == 503
    assert response.headers["retry-after"] == "5"
    assert word_of(response) == "storage_unavailable"
    assert "secret-name" not in response.text


@pytest.mark.parametrize("request_line", requests_over_the_hub())
@pytest.mark.parametrize(
    "error", [ZeroDivisionError("secret-name"), StorageError("secret-name"), ConfigurationError("secret-name")]
)
def test_an_unexpected_error(request_line: str, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    response = ask(create_app(refusing_client(error)), f"{request_line}", b"1", JSON)
    assert response.status_code == 500
    assert word_of(response) == "internal_error"
    assert "secret-name" not in response.text
    assert "Traceback" not in response.text
    assert [record.exc_info[1] for record in caplog.records if record.exc_info] == [error]


def test_the_log_does_not_repeat_the_query(caplog: pytest.LogCaptureFixture) -> None:
    ask(create_app(refusing_client(ZeroDivisionError())), "GET instances/x?code=secret-key")
    records = [record for record in caplog.records if record.name.startswith("durable_ext")]
    ours = "\n".join(map(caplog.handler.format, records))
    assert "GET instances/{id} failed" in ours
    assert "secret-key" not in ours


def test_a_refused_start_carries_what_old_clients_read() -> None:
    problem = ask(QuickHub(), "POST orchestrators/nobody", b"1").json()
    assert problem["ExceptionMessage"] == problem["message"]
    assert "nobody" in problem["ExceptionMessage"]
    assert problem["Message"]
    assert "ExceptionMessage" not in ask(QuickHub(), "GET instances/nobody").json()


@pytest.mark.parametrize(
    ("request_line", "tells"),
    [
        ("GET elsewhere", "no such path"),
        ("GET instances/a/b/c/d", "no such path"),
        ("POST instances/a/dance", "no such path"),
        ("POST makeprimary", "no such path"),
        ("GET orchestrators/greet", "POST"),
        ("PUT instances/a", "DELETE, GET"),
        ("GET instances/a/terminate", "POST"),
        ("OPTIONS instances", "DELETE, GET"),
        ("GET http://hub.example/api/other", "/api/durabletask"),
        ("GET http://hub.example/api/durabletasks/instances", "/api/durabletask"),
    ],
)
def test_unknown_path_or_wrong_verb(request_line: str, tells: str) -> None:
    response = ask(QuickHub(), request_line)
    assert response.status_code == 404
    assert word_of(response) == "unknown_path"
    assert tells in response.json()["message"]
