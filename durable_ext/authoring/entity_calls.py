"""What an orchestrator asks of entities: call, signal, and lock several (a room of the orchestration context).

A lock is granted entity by entity, in an order that is the same for all who ask, so no two wait for each other. It ends
with its block, or at the latest with the execution.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator, Sequence
from datetime import datetime
from typing import Any, TypeVar, overload

from durable_ext.authoring.calls import Calls
from durable_ext.authoring.entity_context import EntityContext, entity_address
from durable_ext.authoring.payload import Converter, encode
from durable_ext.authoring.tasks import GeneratorTask
from durable_ext.errors import InvalidInputError
from durable_ext.records.entity_events import EntityCalled, EntitySignaled, LockAsked, LockLeft
from durable_ext.records.entity_id import EntityId
from durable_ext.records.given import as_utc
from durable_ext.records.ids import check_name, lock_id

_In = TypeVar("_In")
_Out = TypeVar("_Out")
_T = TypeVar("_T")


class EntityLock:
    """Locked entities. Leave the `with` block, or call `release`, to let others have them."""

    def __init__(self, name: str, entities: tuple[str, ...], leave: Callable[[], None]) -> None:
        self.name = name
        self.entities = tuple(EntityId.parse(entity) for entity in entities)
        self._leave = leave
        self._is_left = False

    def release(self) -> None:
        """Let others have the entities. Repeatable."""
        if not self._is_left:
            self._is_left = True
            self._leave()

    def __enter__(self) -> EntityLock:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


class LockTask(Awaitable[EntityLock]):
    """A lock that was asked for: `async with` it, or await it and use the lock's own block."""

    def __init__(self, future: asyncio.Future[EntityLock]) -> None:
        self._future = future
        self._lock: EntityLock | None = None

    def __await__(self) -> Generator[Any, None, EntityLock]:
        return self._future.__await__()

    async def __aenter__(self) -> EntityLock:
        self._lock = await self._future
        return self._lock

    async def __aexit__(self, *_: object) -> None:
        if self._lock is not None:
            self._lock.release()


class EntityCalls(Calls):
    """The entity verbs of the orchestration context."""

    _held: EntityLock | None = None
    _asked_for: tuple[EntityId, ...] = ()  # by a lock that is not granted yet

    @property
    def is_locked(self) -> bool:
        """Whether this orchestration holds a lock."""
        return self._held is not None

    @property
    def locked_entities(self) -> tuple[EntityId, ...]:
        """The entities this orchestration has locked."""
        return () if self._held is None else self._held.entities

    @overload
    def call_entity(
        self,
        entityId: EntityId | str,
        operationName: Callable[[Any, EntityContext, _In], Awaitable[_Out]],
        operationInput: _In,
        expected_type: Any = ...,
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_entity(
        self,
        entityId: EntityId | str,
        operationName: Callable[[Any, _In], Awaitable[_Out]],
        operationInput: _In,
        expected_type: Any = ...,
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_entity(
        self,
        entityId: EntityId | str,
        operationName: Callable[[Any], Awaitable[_Out]],
        *,
        expected_type: Any = ...,
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_entity(
        self,
        entityId: EntityId | str,
        operationName: Callable[[Any, EntityContext, _In], _Out],
        operationInput: _In,
        expected_type: Any = ...,
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_entity(
        self,
        entityId: EntityId | str,
        operationName: Callable[[Any, _In], _Out],
        operationInput: _In,
        expected_type: Any = ...,
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_entity(
        self,
        entityId: EntityId | str,
        operationName: Callable[[Any], _Out],
        *,
        expected_type: Any = ...,
    ) -> asyncio.Future[_Out]: ...
    @overload
    def call_entity(
        self, entityId: EntityId | str, operationName: str, operationInput: Any = None, expected_type: Any = ...
    ) -> asyncio.Future[Any]: ...
    def call_entity(
        self, entityId: EntityId | str, operationName: Any, operationInput: Any = None, expected_type: Any = None
    ) -> Any:
        """Run an operation of an entity, by name or as the method itself; the future has its result.

        It raises TaskFailedError when the operation fails. The result is decoded to `expected_type`, or to what the
        method returns. While a lock is held only locked entities may be called, and none for which a lock was asked
        before it is granted. Raises PayloadError and InvalidInputError.
        """
        self._decisions.check_thread()
        address = entity_address(entityId)
        operation = self._operation_name(address, operationName)
        self._check_may_call(address)
        task_id = self._decisions.next_id()
        decision = EntityCalled(
            id=task_id,
            entity_id=address,
            operation=operation,
            input=_input(self._converter, operationInput),
            lock="" if self._held is None else self._held.name,
        )
        asked_for = expected_type is not None
        kind = self._expected(expected_type) if asked_for else self._result_type(address, operation)
        return self._task(self._decisions.ask(task_id, decision, kind))

    def signal_entity(
        self,
        entityId: EntityId | str,
        operationName: Any,
        operationInput: Any = None,
        *,
        signal_time: datetime | None = None,
    ) -> Any:
        """Have an entity run an operation, at `signal_time` or soon. Nobody waits for it. Raises as call_entity.

        What it returns is done already, for generators that yield it.
        """
        self._decisions.check_thread()
        address = entity_address(entityId)
        self._check_not_asked_for(address)
        if self._held is not None and EntityId.parse(address) in self._held.entities:
            raise InvalidInputError(f"entity {address} is locked by this orchestration; call it, or release the lock")
        due = None if signal_time is None else as_utc(signal_time)
        signal = EntitySignaled(
            id=self._decisions.next_id(),
            entity_id=address,
            operation=self._operation_name(address, operationName),
            input=_input(self._converter, operationInput),
            due=due,
        )
        self._decisions.decide(signal)
        done: asyncio.Future[None] = self._decisions.loop.create_future()
        done.set_result(None)
        return self._task(done)

    def lock_entities(self, entities: Sequence[EntityId | str]) -> Any:
        """Lock entities for this orchestration alone, all or none, however many others ask for them.

        `async with ctx.lock_entities([a, b]):`, or in a generator `with (yield ctx.lock_entities([a, b])):`. Others
        wait until the block ends. Raises InvalidInputError for an empty list, and while a lock is held or asked for.
        """
        self._decisions.check_thread()
        addresses = tuple(sorted({entity_address(entity) for entity in entities}))
        if not addresses:
            raise InvalidInputError("lock_entities takes at least one entity")
        if self._held is not None or self._asked_for:
            raise InvalidInputError("this orchestration holds or waits for a lock; lock all entities at once")
        task_id = self._decisions.next_id()
        granted = self._decisions.ask(task_id, LockAsked(id=task_id, entities=addresses), Any)
        lock = EntityLock(lock_id(self._decisions.execution, task_id), addresses, lambda: self._leave(task_id))
        self._asked_for = lock.entities
        future = self._decisions.loop.create_task(self._lock(granted, lock, task_id))
        task = self._task(future)
        return task if isinstance(task, GeneratorTask) else LockTask(future)

    async def _lock(self, granted: asyncio.Future[Any], lock: EntityLock, task_id: int) -> EntityLock:
        try:
            await granted
        except asyncio.CancelledError:
            self._decisions.decide(LockLeft(task_id=task_id))
            raise
        finally:
            self._asked_for = ()
        self._held = lock
        return lock

    def _leave(self, task_id: int) -> None:
        self._held = None
        self._decisions.decide(LockLeft(task_id=task_id))

    def _check_not_asked_for(self, address: str) -> None:
        """An entity that is locked already would keep it waiting, and run what is called under the lock first."""
        if EntityId.parse(address) in self._asked_for:
            raise InvalidInputError(
                f"this orchestration has asked for a lock of entity {address}; await the lock first, or do this before"
            )

    def _check_may_call(self, address: str) -> None:
        self._check_not_asked_for(address)
        if self._held is not None and EntityId.parse(address) not in self._held.entities:
            raise InvalidInputError(
                f"entity {address} is not among those this orchestration has locked; lock it too, or call it afterwards"
            )

    def _operation_name(self, address: str, operation: Any) -> str:
        named = self._registry.operation_of(EntityId.parse(address).name, operation)
        return check_name("operation name", named)

    def _result_type(self, address: str, operation: str) -> Any:
        definition = self._registry.entities.get(EntityId.parse(address).name)
        return Any if definition is None else definition.result_type(operation)


def _input(converter: Converter, value: Any) -> Any:
    return None if value is None else encode(converter, value)
