"""Run by the interpreter that has the real Functions worker: indexes an app with it and calls its functions (F4, T6).

Arguments: the folder of the app, the name of its file, an orchestrator to start. Prints one JSON object: the names of
the functions, and what an orchestration went through, driven through the worker's own way into a function.
"""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import os
import sys
import time
import types
import uuid
from typing import Any

from azure.core.exceptions import ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue.aio import QueueServiceClient

CONNECTION = "AzureWebJobsStorage"
ORIGIN = "https://orders.example/api"


def text(value: str) -> Datum:
    return Datum(value, "string")


class RealWorker:
    """The worker's runtime without the gRPC around it."""

    def __init__(self, folder: str, file: str) -> None:
        os.environ["PYTHON_SCRIPT_FILE_NAME"] = file
        sys.path.insert(0, folder)
        events: Any = importlib.import_module("azure_functions_runtime.handle_event")
        events.protos = types.SimpleNamespace(
            BindingInfo=_binding_info(),
            RpcFunctionMetadata=types.SimpleNamespace,
            RpcRetryOptions=types.SimpleNamespace,
        )
        importlib.import_module("azure_functions_runtime.bindings.meta").load_binding_registry()
        importlib.import_module("azure_functions_runtime.utils.threadpool").start_threadpool_executor()
        began = time.perf_counter()
        events.load_function_metadata(folder, caller_info="test")
        self.seconds_to_index = time.perf_counter() - began
        self.functions: dict[str, Any] = {item.name: item for item in events._metadata_result}
        self._invoke: Any = importlib.import_module("azure_functions_runtime.native_invocation")

    def trigger(self, name: str) -> dict[str, Any]:
        bindings: list[dict[str, Any]] = [json.loads(raw) for raw in self.functions[name].raw_bindings]
        return next(binding for binding in bindings if binding["type"].endswith("Trigger"))

    async def call(self, name: str, data: Datum, metadata: dict[str, Datum] | None = None) -> Any:
        function = self.functions[name]
        inputs = [(self.trigger(name)["name"], data)]
        ok, result, _, error, trace = await self._invoke.invocation_request_native(
            uuid.uuid4().hex, function.function_id, inputs, metadata or {}
        )
        if not ok:
            raise RuntimeError(f"{name} failed: {error}\n{trace}")
        return result

    async def request(self, name: str, method: str, url: str, params: dict[str, str]) -> tuple[int, Any]:
        """Status and JSON body of an HTTP function's answer."""
        fields = {
            "method": text(method),
            "url": text(url),
            "headers": {"host": text("orders.example")},
            "query": {},
            "params": {key: text(value) for key, value in params.items()},
            "body": Datum(b"", "bytes"),
        }
        answer = (await self.call(name, Datum(fields, "http"))).value
        body = bytes(answer["body"].value)
        return int(answer["status_code"].value), json.loads(body) if body else None


def _binding_info() -> Any:
    class BindingInfo(types.SimpleNamespace):
        inout, out, undefined = 2, 1, 0

    return BindingInfo


async def drive(worker: RealWorker, orchestrator: str) -> dict[str, Any]:
    """Start an orchestration by HTTP, feed the queue functions, and read the outcome by HTTP."""
    report: dict[str, Any] = {"calls": []}
    await worker.call("durable_janitor", Datum(json.dumps({"IsPastDue": False}), "json"))
    report["start"], links = await worker.request(
        "start", "POST", f"{ORIGIN}/orchestrators/x", {"name": orchestrator, "functionName": orchestrator}
    )
    url: str = links["statusQueryGetUri"]
    path = url.partition("/durabletask/")[2]
    async with QueueServiceClient.from_connection_string(os.environ[CONNECTION]) as storage:
        async with asyncio.timeout(60):
            while True:
                report["calls"] += await feed(worker, storage)
                status, shown = await worker.request("zzz_durable_http", "GET", url, {"path": path})
                if status != 202:
                    return report | {"status": status, "shown": shown}


async def feed(worker: RealWorker, storage: QueueServiceClient) -> list[str]:
    """Deliver what is in the queues now; the functions that were called."""
    called: list[str] = []
    for name in worker.functions:
        trigger = worker.trigger(name)
        if trigger["type"] != "queueTrigger":
            continue
        queue = storage.get_queue_client(trigger["queueName"])
        try:
            messages = [message async for message in queue.receive_messages()]
        except ResourceNotFoundError:
            continue
        for message in messages:
            data = Datum(base64.b64decode(message.content), "bytes")
            await worker.call(name, data, {"Id": text(message.id), "DequeueCount": text("1")})
            await queue.delete_message(message)
            called.append(name)
    return called


def main(folder: str, file: str, orchestrator: str) -> None:
    worker = RealWorker(folder, file)

    async def run() -> dict[str, Any]:
        report = await drive(worker, orchestrator)
        app = importlib.import_module(file.removesuffix(".py")).app
        await importlib.import_module("durable_ext.functions.app").engine_of(app).close()
        return report

    report = asyncio.run(run())
    report |= {"functions": sorted(worker.functions), "seconds_to_index": worker.seconds_to_index}
    sys.stdout.write(json.dumps(report))


if __name__ == "__main__":
    main(*sys.argv[1:])
