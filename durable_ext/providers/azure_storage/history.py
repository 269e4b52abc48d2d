"""The History table: a log of turns. One insert commits a turn (P2); nothing is updated, only added and purged."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence

from durable_ext.errors import TurnLostError
from durable_ext.providers.azure_storage import turn_rows
from durable_ext.providers.azure_storage.blobs import Blobs
from durable_ext.providers.azure_storage.client import (
    Condition,
    Continuation,
    Entity,
    Query,
    StorageClient,
    StorageRefusedError,
)
from durable_ext.providers.azure_storage.concurrency import each
from durable_ext.providers.azure_storage.foreign import ForeignRows
from durable_ext.providers.azure_storage.names import AFTER_TURNS, escape, generation_key
from durable_ext.records.instance import Execution
from durable_ext.records.turns import Turn

# What a row must bring along so that it can be put into its log.
KEYS = ("PartitionKey", "RowKey", "ExecutionId", "Generation", "TurnNumber", turn_rows.BURIED)


class Log:
    """The rows of one execution, in the order of their turns."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.entities: list[Entity] = []

    @property
    def is_buried(self) -> bool:
        """Whether a purge left a tombstone in it (P10)."""
        return any(turn_rows.BURIED in entity for entity in self.entities)

    @property
    def is_history(self) -> bool:
        """Whether it has its turn 0 and was not purged (P3)."""
        return turn_rows.number_of(self.entities[0]) == 0 and not self.is_buried


class History:
    """Reads and appends the turns of one hub."""

    def __init__(self, client: StorageClient, table: str, blobs: Blobs) -> None:
        self._client = client
        self._table = table
        self._blobs = blobs
        self._foreign = ForeignRows(table)

    async def append(self, turn: Turn) -> None:
        """Insert the turn, its blob before it (P1). Raises TurnLostError when another turn is there (P2).

        A conflict may be our own insert, tried again after its answer was lost: the commit id tells (P13).
        """
        entity, overflow = turn_rows.entity_of(turn)
        if overflow is not None:
            await self._blobs.put(str(entity[turn_rows.BLOB]), overflow)
        try:
            await self._client.insert_entity(self._table, entity)
        except StorageRefusedError as refused:
            if refused.status != 409:
                raise
            await self._settle(turn, entity)

    async def _settle(self, turn: Turn, entity: Entity) -> None:
        found = await self._client.read_entity(self._table, str(entity["PartitionKey"]), str(entity["RowKey"]))
        if found is None or found.entity.get("CommitId") != turn.commit_id:
            raise TurnLostError(
                f"turn {turn.number} of instance {turn.execution.instance_id!r} was committed by another process"
            )

    async def current(self, instance_id: str, known: Execution | None) -> tuple[tuple[Turn, ...], frozenset[str]]:
        """Turns of the current execution, and the ids of purged ones. `known` is the execution the row names.

        Current is the newest generation with a turn 0, which may be newer than the row's (P8). In the row's own
        generation the row decides whose start won (P9).
        """
        oldest = 0 if known is None else known.generation
        logs = await self._logs(instance_id, oldest)
        alive = [log for log in logs if log.is_history and _may_be_current(log.execution, known)]
        if alive:
            newest = max(alive, key=lambda log: log.execution.generation)
            return await self._turns(newest.entities), _buried(logs)
        if oldest > 0:  # no history yet: whether this start was purged is only known from older rows
            logs = await self._logs(instance_id, 0)
        return (), _buried(logs)

    async def execution(self, instance_id: str, execution_id: str, generation: int | None) -> tuple[Turn, ...]:
        """The turns of one execution; none when there is no such history."""
        where = (*_turns_of(instance_id), Condition("ExecutionId", "eq", execution_id))
        if generation is not None:
            begin, end = generation_key(generation), generation_key(generation + 1)
            where = (*where, Condition("RowKey", "ge", begin), Condition("RowKey", "lt", end))
        for log in await self.logs(Query(where)):
            if log.is_history:
                return await self._turns(log.entities)
        return ()

    async def consumed(self, instance_id: str) -> frozenset[str]:
        """Ids of the messages that all kept executions consumed (P7)."""
        select = (*KEYS, "MessageIds", turn_rows.BLOB)
        logs = await self.logs(Query(_turns_of(instance_id), select))
        kept = [entity for log in logs if log.is_history for entity in log.entities]
        contents = await self._contents(kept)
        return frozenset(
            message_id
            for entity, content in zip(kept, contents, strict=True)
            for message_id in turn_rows.message_ids_of(entity, content)
        )

    async def scan(self, query: Query) -> AsyncIterator[Entity]:
        """All rows of a query, page by page."""
        continuation: Continuation | None = None
        while True:
            page = await self._client.query_entities(self._table, query, continuation)
            for entity in page.entities:
                yield entity
            continuation = page.continuation
            if continuation is None:
                return

    async def logs(self, query: Query) -> list[Log]:
        """The turns of a query, put together by execution. The query asks for KEYS at least."""
        return self.logs_of([entity async for entity in self.scan(query)])

    def logs_of(self, entities: Iterable[Entity]) -> list[Log]:
        """Turns in key order, put together by execution. They have the columns of KEYS at least."""
        return _logs_of(self._foreign.without(entities, "TurnNumber"))

    async def _logs(self, instance_id: str, from_generation: int) -> list[Log]:
        where = (*_turns_of(instance_id), Condition("RowKey", "ge", generation_key(from_generation)))
        return await self.logs(Query(where))

    async def _turns(self, entities: Sequence[Entity]) -> tuple[Turn, ...]:
        return tuple(map(turn_rows.turn_of, entities, await self._contents(entities)))

    async def _contents(self, entities: Sequence[Entity]) -> list[bytes | None]:
        async def fetch(entity: Entity) -> bytes | None:
            name = entity.get(turn_rows.BLOB)
            return None if name is None else await self._blobs.get(str(name))

        if not any(turn_rows.BLOB in entity for entity in entities):
            return [None] * len(entities)
        return await each(entities, fetch)


def _logs_of(entities: Iterable[Entity]) -> list[Log]:
    """Rows in key order, put together by execution."""
    logs: list[Log] = []
    for entity in entities:
        execution = turn_rows.execution_of(entity)
        if not logs or logs[-1].execution != execution:
            logs.append(Log(execution))
        logs[-1].entities.append(entity)
    return logs


def _turns_of(instance_id: str) -> tuple[Condition, Condition]:
    """Without the claims, which are behind the turns."""
    return Condition("PartitionKey", "eq", escape(instance_id)), Condition("RowKey", "lt", AFTER_TURNS)


def _may_be_current(execution: Execution, known: Execution | None) -> bool:
    return known is None or execution == known or execution.generation > known.generation


def _buried(logs: Iterable[Log]) -> frozenset[str]:
    return frozenset(log.execution.execution_id for log in logs if log.is_buried)
