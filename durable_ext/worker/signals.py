"""Waking waiters of this very process: a client that waits here need not poll while the session runs here too."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_ext.records.instance import InstanceRow


class Signals:
    """Hands every row that a session of this process wrote to those who wait for the instance."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[InstanceRow]]] = defaultdict(set)

    def publish(self, row: InstanceRow) -> None:
        """Wake the waiters of the row's instance."""
        for future in self._waiting.pop(row.instance_id, ()):
            if not future.done():
                future.set_result(row)

    async def next_row(self, instance_id: str, seconds: float) -> InstanceRow | None:
        """The next row published for the instance, or None when `seconds` have passed."""
        future: asyncio.Future[InstanceRow] = asyncio.get_running_loop().create_future()
        self._waiting[instance_id].add(future)
        try:
            async with asyncio.timeout(seconds):
                return await future
        except TimeoutError:
            return None
        finally:
            waiting = self._waiting.get(instance_id)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[instance_id]
