"""Publishes life-cycle events to a custom topic of Azure Event Grid, in the schema of Durable Functions."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import msgspec

from durable_ext.authoring.http_records import HttpRequest, WantedToken, origin_of
from durable_ext.authoring.lifecycle import LifecycleEvent
from durable_ext.errors import ConfigurationError, HttpRequestError, InvalidInputError
from durable_ext.outbound.http_activity import LOOPBACK, send_directly

# Answers after which the same may succeed a while later.
RETRIED = frozenset({408, 429, 500, 502, 503, 504})
_TOKEN = WantedToken(resource="https://eventgrid.azure.net", kind="AzureManagedIdentity")


class EventGridPublisher:
    """Posts to one topic, with its key, or without one as the app's managed identity.

    `key_of` gives the key when it is needed: nothing keeps it that could be shown. `retried` are the answers that are
    worth another try. Raises ConfigurationError for an endpoint that is not https; on this very machine it need not be.
    """

    def __init__(
        self, endpoint: str, key_of: Callable[[], str] | None = None, *, retried: Collection[int] = RETRIED
    ) -> None:
        self._endpoint = checked_endpoint(endpoint)
        self._key_of = key_of
        self._retried = frozenset(retried)

    async def publish(self, events: Sequence[LifecycleEvent]) -> None:
        """Post the events as one request. Raises HttpRequestError, which says whether to try again."""
        content = msgspec.json.encode([_entry(event) for event in events]).decode()
        headers = {"Content-Type": "application/json"}
        if self._key_of is not None:
            headers["aeg-sas-key"] = self._key_of()
        request = HttpRequest(
            method="POST",
            uri=self._endpoint,
            content=content,
            headers=headers,
            token_source=_TOKEN if self._key_of is None else None,
        )
        # A redirect that is followed may turn the post into a get, and its answer would look like success.
        response = await send_directly(request)
        status = int(response["statusCode"])
        if not 200 <= status < 300:
            raise HttpRequestError(
                f"the Event Grid topic at {origin_of(self._endpoint)[1]} answered {status}",
                retryable=status in self._retried,
            )


def checked_endpoint(endpoint: str) -> str:
    """The address of a topic. Raises ConfigurationError."""
    try:
        scheme, host, _ = origin_of(endpoint)
    except InvalidInputError as error:
        raise ConfigurationError(f"the Event Grid endpoint is no address: {error}") from error
    if scheme != "https" and host not in LOOPBACK:
        raise ConfigurationError(
            f"the Event Grid endpoint at {host} is not https; its key would be readable on the way"
        )
    return endpoint


def _entry(event: LifecycleEvent) -> dict[str, Any]:
    return {
        "id": event.id,
        "subject": f"durable/orchestrator/{event.status.value}",
        "data": {
            "hubName": event.hub,
            "functionName": event.name,
            "instanceId": event.instance_id,
            "reason": event.reason,
            "runtimeStatus": event.status.value,
        },
        "eventType": "orchestratorEvent",
        "eventTime": event.time,
        "dataVersion": "1.0",
    }
