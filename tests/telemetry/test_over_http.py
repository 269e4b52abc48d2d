"""What comes over HTTP goes on from the `traceparent` of its request."""

from __future__ import annotations

import pytest

from durable_ext.records.instance import RuntimeStatus
from tests.http_api.asking import JSON, ask
from tests.http_api.store import Hub

from .hearing import Ears

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
HEADERS = {**JSON, "traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01", "tracestate": "vendor=one"}


@pytest.mark.parametrize(
    ("request_line", "name"),
    [
        ("POST orchestrators/greet", "create_orchestration:greet"),
        ("POST instances/there/raiseEvent/go", "orchestration_event:go"),
        ("POST entities/counter/one?op=add", "signal_entity:add"),
    ],
)
def test_the_callers_span_is_above(request_line: str, name: str) -> None:
    hub, ears = Hub(), Ears()
    hub.client.telemetry = ears.listener
    hub.add("there", status=RuntimeStatus.RUNNING)
    assert ask(hub, request_line, b"1", HEADERS).status_code == 202
    sent = ears.one(name)
    assert sent.parent is not None
    assert (f"{sent.parent.trace_id:032x}", f"{sent.parent.span_id:016x}") == (TRACE_ID, "b7ad6b7169203331")
    kept = hub.store.sent[-1].trace
    assert kept is not None
    assert kept.parent.split("-")[1] == TRACE_ID
    assert kept.state == "vendor=one"


def test_nobody_looks_at_headers_while_it_is_off() -> None:
    hub = Hub()
    assert ask(hub, "POST orchestrators/greet", b"1", HEADERS).status_code == 202
    assert hub.store.sent[-1].trace is None
