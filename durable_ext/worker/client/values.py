"""The values that instances keep under keys, read from history, which is the truth (P8): one read of row and turns.

A value is to be seen as soon as its turn is committed. Waiting looks at the row and reads history only when that has
changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from durable_ext.authoring.payload import decode
from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import InstanceStateError
from durable_ext.records.instance import InstanceRow
from durable_ext.records.value_events import KeptValue
from durable_ext.replay.values import values_of
from durable_ext.worker.client.events import is_over, position_of
from durable_ext.worker.client.reads import ReadingClient


class ValuesClient(ReadingClient):
    """Values of instances, and changes of their custom status by number."""

    async def get_value(self, instance_id: str, key: str, expected_type: Any = Any, default: Any = None) -> Any:
        """What an instance keeps under a key, decoded to a type; the default without it, and for an unknown id.

        Raises PayloadError on a misfit.
        """
        kept = values_of((await self._provider.load(instance_id)).turns).get(key)
        return default if kept is None else await self._value_of(kept, expected_type)

    async def get_values(self, instance_id: str) -> Mapping[str, Any]:
        """All that an instance keeps, as plain JSON values by key; empty for an unknown id."""
        kept = values_of((await self._provider.load(instance_id)).turns)
        return {key: await self._value_of(value, Any) for key, value in kept.items()}

    async def wait_for_value(
        self,
        instance_id: str,
        key: str,
        timeout: timedelta,  # noqa: ASYNC109
        expected_type: Any = Any,
    ) -> Any:
        """What an instance keeps under a key, as soon as there is something.

        Raises TimeoutError, InstanceNotFoundError for an unknown id, and InstanceStateError when the instance has ended
        without it.
        """
        async with asyncio.timeout(timeout.total_seconds()):
            with self._watching(instance_id) as watch:
                watch.looked()
                while True:
                    loaded = await self._provider.load(instance_id)
                    kept = values_of(loaded.turns).get(key)
                    if kept is not None:
                        return await self._value_of(kept, expected_type)
                    seen = position_of(instance_id, loaded)
                    if is_over(loaded):
                        raise InstanceStateError(f"instance {instance_id!r} has ended and keeps nothing under {key!r}")
                    await watch.next_row(lambda row, seen=seen: row.position > seen or row.status.is_terminal)

    async def wait_for_custom_status_change(
        self,
        instance_id: str,
        after_version: int,
        timeout: timedelta,  # noqa: ASYNC109
    ) -> InstanceStatus:
        """The instance once its custom status was set more than `after_version` times, or once it has ended.

        Ask again with the `custom_status_version` of what came. What is set several times in short order may come as
        one. Raises TimeoutError, and InstanceNotFoundError for an unknown id.
        """

        def is_news(row: InstanceRow) -> bool:
            return row.status_changes > after_version or row.status.is_terminal

        return await self.wait_until(instance_id, is_news, timeout)

    async def _value_of(self, kept: KeptValue, kind: Any) -> Any:
        return decode(self.converter, await self._payloads.get(kept.value), kind)
