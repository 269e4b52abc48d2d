"""Activities of the engine's own: what an orchestrator asks of the hub is asked once, and recorded as a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from durable_ext.authoring.key_values import READ_VALUE
from durable_ext.authoring.registry import ActivityDefinition
from durable_ext.worker.client.values import ValuesClient


def own_activities(client: ValuesClient) -> Mapping[str, ActivityDefinition]:
    """By name."""

    async def read_value(asked: dict[str, str]) -> Any:
        return await client.get_value(asked["instance_id"], asked["key"])

    return {READ_VALUE: ActivityDefinition(READ_VALUE, read_value)}
