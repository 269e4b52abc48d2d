"""`durable host` as a process, told by settings alone: traces from an HTTP header on, events drained at its end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.process.hosts import Host, status_of, until

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
APP = """
import asyncio, json
from pathlib import Path
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from durable_ext import DFApp

NOTES = Path(__file__).parent

def note(file, what):
    with (NOTES / file).open("a") as notes:
        notes.write(json.dumps(what) + "\\n")

class ToFile(SpanExporter):
    def export(self, spans):
        for span in spans:
            note("spans", [span.name, f"{span.get_span_context().trace_id:032x}"])
        return SpanExportResult.SUCCESS

class Slow:
    async def publish(self, events):
        await asyncio.sleep(0.2)
        for event in events:
            note("events", [event.hub, event.instance_id, event.status.value])

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(ToFile()))
trace.set_tracer_provider(provider)
app = DFApp(lifecycle=Slow())

@app.activity
async def greet(name: str) -> str:
    return f"Hello {name}"

@app.orchestrator
async def hello(ctx, name: str) -> str:
    return await ctx.call_activity(greet, name)
"""


@pytest.mark.process
def test_settings_are_all_there_is_to_do(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text(APP)
    environ = {"DURABLE_STORAGE": "sqlite:hub.db", "DURABLE_HUB": "Shop", "DURABLE_TELEMETRY": "on"}
    with Host(tmp_path, app=tmp_path / "function_app.py", environ=environ) as host:
        host.start_and_wait()
        headers = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}
        url = f"{host.api}/orchestrators/hello/one"
        assert httpx.post(url, json="Ada", headers=headers, timeout=10).status_code == 202
        until(lambda: status_of(host, "one").get("runtimeStatus") == "Completed", 20, host.output())
        host.interrupt()
        assert host.ends() == 0
    spans = noted(tmp_path / "spans")
    assert {name for name, _ in spans} == {"create_orchestration:hello", "orchestration:hello", "activity:greet"}
    assert {trace_id for _, trace_id in spans} == {TRACE_ID}
    assert noted(tmp_path / "events") == [["Shop", "one", "Running"], ["Shop", "one", "Completed"]]


def noted(file: Path) -> list[Any]:
    return [json.loads(line) for line in file.read_text().splitlines()]
