"""What a soak left behind, gathered once everything is at rest: rows, histories, queues, quarantine, effects."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from azure.storage.queue.aio import QueueServiceClient

from benchmarks.soak.effects import Effect
from benchmarks.soak.ledgers import Ledger
from benchmarks.soak.load import Started
from durable_ext.providers.azure_storage import AzureStorageProvider
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.instance import InstanceRow
from durable_ext.records.messages import Quarantined
from durable_ext.records.turns import Turn
from durable_ext.worker.client import Client

logger = logging.getLogger("soak")

# One execution's turns, in order.
Log = tuple[Turn, ...]

_AT_ONCE = 16
_LOOK_SECONDS = 1.0
# The janitor comes each minute, a message that came too early is put off by a minute at most.
_STILL_SECONDS = 130.0


@dataclass(frozen=True)
class Evidence:
    """`rows` and `logs` are of orchestrations: the executions of each, the oldest first. `stranded`: messages left in
    each queue. `ledgers`: the entities."""

    started: Sequence[Started]
    rows: dict[str, InstanceRow] = field(default_factory=dict[str, InstanceRow])
    logs: dict[str, list[Log]] = field(default_factory=dict[str, list[Log]])
    stranded: dict[str, int] = field(default_factory=dict[str, int])
    quarantined: Sequence[Quarantined] = ()
    ledgers: dict[str, Ledger] = field(default_factory=dict[str, Ledger])
    effects: Sequence[Effect] = ()


class Store:
    """The hub as the one who holds the hosts to account sees it."""

    def __init__(self, connection: str, hub: str) -> None:
        self.provider = AzureStorageProvider(connection, hub)
        self._queues = QueueServiceClient.from_connection_string(connection)
        self._turns = asyncio.Semaphore(_AT_ONCE)

    async def close(self) -> None:
        """Close the connections."""
        await self._queues.close()
        await self.provider.close()

    async def rests(self, patience: float) -> bool:
        """Wait until no instance runs and no message is left; False when that takes longer than `patience` seconds.

        False too when nothing has changed for so long that nothing will.
        """
        loop = asyncio.get_running_loop()
        changed_at = loop.time()
        end = changed_at + patience
        seen: tuple[int, int] | None = None
        while loop.time() < end and loop.time() - changed_at < _STILL_SECONDS:
            running, left = await self._moving()
            if running + left == 0:
                return True
            if seen != (running, left):
                seen, changed_at = (running, left), loop.time()
                logger.info("%d instances run, %d messages are in queues", running, left)
            await asyncio.sleep(_LOOK_SECONDS)
        return False

    async def _moving(self) -> tuple[int, int]:
        """Instances that have not ended, and messages in queues."""
        counts = await self.provider.count(InstanceFilter(entities=False))
        running = sum(count for status, count in counts.items() if not status.is_terminal)
        return running, sum((await self.messages()).values())

    async def messages(self) -> dict[str, int]:
        """How many messages each queue holds, hidden ones too."""
        names = self.provider.names
        counts: dict[str, int] = {}
        for queue in (*names.control, names.work):
            found = await self._queues.get_queue_client(queue).get_queue_properties()
            counts[queue] = found.approximate_message_count or 0
        return counts

    async def gather(self, started: Sequence[Started], effects: Sequence[Effect]) -> Evidence:
        """Everything that is in storage."""
        rows = await self._rows(entities=False)
        ledgers = await self._rows(entities=True)
        states = await asyncio.gather(*[self._ledger(name) for name in ledgers])
        logs = await asyncio.gather(*[self._logs(instance_id) for instance_id in rows])
        return Evidence(
            started=started,
            rows=rows,
            logs=dict(zip(rows, logs, strict=True)),
            stranded={queue: count for queue, count in (await self.messages()).items() if count},
            quarantined=await self.provider.list_quarantined(limit=1000),
            effects=effects,
            ledgers=dict(zip(ledgers, states, strict=True)),
        )

    async def _ledger(self, name: str) -> Ledger:
        status = await Client(self.provider, self.provider).read_entity(name, dict[str, list[int]])
        return Ledger({}) if status is None else Ledger(status.state or {}, status.locked_by or "")

    async def _rows(self, *, entities: bool) -> dict[str, InstanceRow]:
        rows: dict[str, InstanceRow] = {}
        continuation: str | None = None
        while True:
            page = await self.provider.query(InstanceFilter(entities=entities), limit=500, continuation=continuation)
            rows |= {row.instance_id: row for row in page.rows}
            continuation = page.continuation
            if continuation is None:
                return rows

    async def _logs(self, instance_id: str) -> list[Log]:
        """The executions, followed back from the current one."""
        logs: list[Log] = []
        async with self._turns:
            turns = tuple(await self.provider.history(instance_id))
            while turns:
                logs.insert(0, turns)
                previous = _previous(turns)
                turns = tuple(await self.provider.history(instance_id, previous)) if previous else ()
        return logs


def _previous(turns: Log) -> str | None:
    return next((event.previous for event in turns[0].events if isinstance(event, ExecutionStarted)), None)
