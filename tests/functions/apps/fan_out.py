"""Fan-out and fan-in: each file of a folder is copied into a store, and the bytes are added up."""

from collections.abc import Generator
from pathlib import Path
from typing import Any

import azure.functions as func

import durable_ext as df

app = df.DFApp(http_auth_level="ANONYMOUS")
store: dict[str, bytes] = {}


@app.route(route="backup", methods=["POST"])
@app.durable_client_input("client")
async def backup(req: func.HttpRequest, client: Any) -> func.HttpResponse:
    instance_id = await client.start_new("backup_site_content", client_input=req.get_json())
    return client.create_check_status_response(req, instance_id)


@app.orchestration_trigger(context_name="context")
def backup_site_content(context: df.DurableOrchestrationContext) -> Generator[Any, Any, int]:
    root: Any = context.get_input()
    files = yield context.call_activity("get_file_list", root)
    tasks: list[Any] = []
    for file in files:
        tasks.append(context.call_activity("copy_file", {"name": file, "root": root}))
    results = yield context.task_all(tasks)
    return sum(results)


@app.activity_trigger(input_name="root")
def get_file_list(root: str) -> list[str]:
    return sorted(str(path.name) for path in Path(root).iterdir())


@app.activity_trigger(input_name="file")
async def copy_file(file: dict[str, str]) -> int:
    data = (Path(file["root"]) / file["name"]).read_bytes()
    store[file["name"]] = data
    return len(data)
