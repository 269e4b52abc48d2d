"""Writes an app of the classic model into a folder: function.json and body for each function, and shared code."""

from __future__ import annotations

import json
from pathlib import Path
from textwrap import dedent
from typing import Any

Folder = tuple[list[dict[str, Any]], str]

ORCHESTRATION = [{"name": "context", "type": "orchestrationTrigger", "direction": "in"}]
ACTIVITY = [{"name": "name", "type": "activityTrigger", "direction": "in"}]
STARTER = [
    {
        "authLevel": "anonymous",
        "name": "req",
        "type": "httpTrigger",
        "direction": "in",
        "route": "orchestrators/{functionName}",
        "methods": ["post", "get"],
    },
    {"name": "$return", "type": "http", "direction": "out"},
    {"name": "starter", "type": "orchestrationClient", "direction": "in"},
]

FOLDERS: dict[str, Folder] = {
    "Chain": (
        ORCHESTRATION,
        """
        import azure.durable_functions as df
        from ..shared_code.cities import CITIES
        from shared_code import cities

        def orchestrator_function(context: df.DurableOrchestrationContext):
            assert cities.CITIES == CITIES
            found = []
            for city in CITIES:
                found.append((yield context.call_activity("Hello", city)))
            return found

        main = df.Orchestrator.create(orchestrator_function)
        """,
    ),
    "Hello": (
        ACTIVITY,
        """
        def main(name: str) -> str:
            return f"Hello {name}!"
        """,
    ),
    "HttpStart": (
        STARTER,
        """
        import json
        import azure.durable_functions as df
        import azure.functions as func

        async def main(req: func.HttpRequest, starter: str) -> func.HttpResponse:
            client = df.DurableOrchestrationClient(starter)
            assert isinstance(starter, str)
            assert json.loads(starter)["taskHubName"]
            instance_id = await client.start_new(req.route_params["functionName"], None, None)
            return client.create_check_status_response(req, instance_id)
        """,
    ),
    "PlainStart": (
        [*STARTER[:1], STARTER[1], {"name": "starter", "type": "durableClient", "direction": "in"}],
        """
        import azure.durable_functions as df
        import azure.functions as func

        def main(req: func.HttpRequest, starter: str) -> func.HttpResponse:
            client = df.DurableOrchestrationClient(str(starter))
            assert isinstance(client, df.DurableOrchestrationClient)
            instance_id = client.start_new(req.route_params["functionName"])
            return client.wait_for_completion_or_create_check_status_response(req, instance_id)
        """,
    ),
    "Counter": (
        [{"name": "context", "type": "entityTrigger", "direction": "in"}],
        """
        import azure.durable_functions as df

        def entity_function(context: df.DurableEntityContext):
            value = context.get_state(lambda: 0)
            if context.operation_name == "add":
                value += context.get_input()
            context.set_state(value)
            context.set_result(value)

        main = df.Entity.create(entity_function)
        """,
    ),
    "Count": (
        ORCHESTRATION,
        """
        import azure.durable_functions as df

        def count(ctx):
            entity = df.EntityId("Counter", "mine")
            ctx.signal_entity(entity, "add", 2)
            return (yield ctx.call_entity(entity, "add", 3))

        main = df.Orchestrator.create(count)
        """,
    ),
    "Tick": (
        [
            {"name": "timer", "type": "timerTrigger", "direction": "in", "schedule": "0 0 * * * *"},
            {"name": "starter", "type": "durableClient", "direction": "in"},
        ],
        """
        import azure.durable_functions as df
        import azure.functions as func

        async def main(timer: func.TimerRequest, starter: str) -> None:
            await df.DurableOrchestrationClient(starter).start_new("Chain", "ticked")
        """,
    ),
    "Take": (
        [
            {"name": "msg", "type": "queueTrigger", "direction": "in", "queueName": "orders", "connection": "Orders"},
            {"name": "starter", "type": "durableClient", "direction": "in"},
        ],
        """
        import azure.durable_functions as df
        import azure.functions as func

        async def main(msg: func.QueueMessage, starter: str) -> None:
            await df.DurableOrchestrationClient(starter).start_new("Chain", msg.get_body().decode())
        """,
    ),
}


def write(root: Path, folders: dict[str, Folder] = FOLDERS, **more: Any) -> Path:
    """The folders, and a function_app.py of three lines; the path of that. `more` goes to every function.json."""
    shared = root / "shared_code"
    shared.mkdir(exist_ok=True)
    (shared / "__init__.py").write_text("")
    (shared / "cities.py").write_text('CITIES = ["Tokyo", "Oslo"]\n')
    for name, (bindings, body) in folders.items():
        (root / name).mkdir(exist_ok=True)
        fields = {"scriptFile": "__init__.py", "bindings": bindings, **more}
        (root / name / "function.json").write_text(json.dumps(fields))
        (root / name / "__init__.py").write_text(dedent(body))
    file = root / "function_app.py"
    file.write_text("import durable_ext.drop_in\nimport durable_ext as df\napp = df.DFApp.from_classic(__file__)\n")
    return file
