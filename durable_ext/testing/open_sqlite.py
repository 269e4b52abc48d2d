"""SQLite in memory whose queues a test may look into."""

from __future__ import annotations

from durable_ext.providers.contract import Clock
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.providers.sqlite.times import time_of
from durable_ext.testing.queued import Queued


class OpenSqlite(SqliteProvider):
    """One database in memory."""

    def __init__(self, clock: Clock, *, partitions: int) -> None:
        super().__init__(":memory:", partitions=partitions, clock=clock)

    async def queued_messages(self) -> list[Queued]:
        """Every message of all queues as it lies there."""

        found = await self._database.read(
            lambda db: db.execute("SELECT queue, number, body, dequeue_count, visible_at FROM messages").fetchall()
        )
        return [
            Queued(queue=queue, id=str(number), body=body, received=received, visible_at=time_of(visible))
            for queue, number, body, received, visible in found
        ]
