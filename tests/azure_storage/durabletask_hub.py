"""A hub that DurableTask.AzureStorage 2.11.2 made, put into an account: instances that ended, ran and waited."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

from durable_ext.providers.azure_storage.client import Entity, StorageClient, Value

_DATA = json.loads((Path(__file__).parent / "data" / "dtfx-hub.json").read_text(encoding="utf-8"))


def rows_of(table: str) -> list[Entity]:
    """The rows of the table with this ending, as DurableTask wrote them."""
    return [
        {name: _value(value) for name, value in row.items() if not name.startswith("_")}
        for row in _DATA["tables"][f"Site{table}"]
    ]


async def put_hub(client: StorageClient, hub: str) -> None:
    """Everything of it, under the name of a hub."""
    for table in _DATA["tables"]:
        ending = table.removeprefix("Site")
        await client.create_table(hub + ending)
        for entity in rows_of(ending):
            await client.put_entity(hub + ending, entity)
    for queue, messages in _DATA["queues"].items():
        name = hub.lower() + queue.removeprefix("site")
        await client.create_queue(name)
        for message in messages:
            await client.put_message(name, message)
    for container in _DATA["containers"]:
        await client.create_container(hub.lower() + container.removeprefix("site"))


def _value(value: Any) -> Value:
    return value if isinstance(value, str | int | bool) else datetime.fromisoformat(value["$time"])
