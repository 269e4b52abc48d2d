"""DurableOrchestrationClient(starter) of bodies that take the client's binding as text, as the classic model has it.

The text is what the Durable Functions host hands over; the client itself comes along, because no text could lead to
the worker of this process.
"""

from __future__ import annotations

import json
from typing import Any

from durable_ext.errors import ConfigurationError
from durable_ext.functions.blocking import BlockingClient
from durable_ext.functions.client import DurableClient

_PLACEHOLDER = "INSTANCEID"


class ClientBinding(str):
    """The value of a durableClient binding. `client` is an async one for `async def`, a blocking one for `def`."""

    client: DurableClient | BlockingClient

    def __new__(cls, client: DurableClient, blocking: BlockingClient | None = None) -> ClientBinding:
        binding = super().__new__(cls, json.dumps(_description(client)))
        binding.client = blocking or client
        return binding

    def __str__(self) -> str:
        # `str(starter)` in a body must not lose the client.
        return self


def _description(client: DurableClient) -> dict[str, Any]:
    links = client.create_http_management_payload(_PLACEHOLDER)
    base, _, rest = links["statusQueryGetUri"].partition("/instances/")
    query = rest.partition("?")[2]
    create = f"{base}/orchestrators/{{functionName}}[/{{instanceId}}]"
    wait = "timeout={timeoutInSeconds}&pollingInterval={intervalInSeconds}"
    return {
        "taskHubName": client.hub_name,
        "creationUrls": {
            "createNewInstancePostUri": f"{create}?{query}",
            "createAndWaitOnNewInstancePostUri": f"{create}?{wait}&{query}",
        },
        "managementUrls": links,
        "baseUrl": base,
        "requiredQueryStringParameters": query,
        "rpcBaseUrl": f"{base}/",
    }


class _Given(type):
    """Calling the class hands out the client that came with the binding; both kinds of client are of its type."""

    def __call__(cls, context: Any, function_invocation_id: str | None = None) -> DurableClient:
        found: Any = context.client if isinstance(context, ClientBinding) else context
        if not isinstance(found, (DurableClient, BlockingClient)):
            raise ConfigurationError(
                "DurableOrchestrationClient takes what a durableClient binding brought; decorate the function with "
                "durable_client_input, or load its folder with DFApp.from_classic"
            )
        return found  # pyright: ignore[reportReturnType] - the blocking one has the same methods

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, (DurableClient, BlockingClient))


class DurableOrchestrationClient(DurableClient, metaclass=_Given):
    """The client under the name of azure-functions-durable: annotate with it, and make one of a `starter`."""
