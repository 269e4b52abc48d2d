"""An app whose worker lives in the test: a store in memory, the self-host's pump, the app's functions indexed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import azure.functions as func

from durable_ext.functions.app import engine_of
from durable_ext.functions.local import LocalFunctions, index
from durable_ext.worker.client import Client

from ..pumped import pumped


class Attached:
    """The app's functions and a native client of its hub."""

    def __init__(self, functions: LocalFunctions, client: Client) -> None:
        self.functions = functions
        self.client = client

    async def call(self, name: str, body: bytes = b"", **route_params: str) -> tuple[int, bytes]:
        """Status and body of an HTTP function, called by its name."""
        function = next(item for item in self.functions.http if item.name == name)
        url = f"https://orders.example/api/{name}"
        status, _, answer = await function.invoke("POST", url, {"Host": "orders.example"}, route_params, body)
        return status, answer


@asynccontextmanager
async def attached(app: func.FunctionApp) -> AsyncGenerator[Attached]:
    """The app, plain or durable, with a running worker."""
    functions = index(app)
    async with pumped(functions.registry) as worker:
        engine_of(app).attach(worker)
        yield Attached(functions, worker.client)
    functions.close()


def request(url: str = "https://orders.example/api/start") -> func.HttpRequest:
    """A request as a function gets it."""
    return func.HttpRequest("POST", url, headers={"Host": "orders.example"}, body=b"")
