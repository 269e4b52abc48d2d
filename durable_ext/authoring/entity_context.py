"""What the code of an entity sees while one operation runs, under the names of azure-functions-durable and our own.

Nothing of it has an effect before the operation has ended: then the state, the answer and what was sent become part of
one commit (P2, P4).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, overload

import msgspec

from durable_ext.authoring.entity_state import EntityState
from durable_ext.authoring.names import ByName, Naming
from durable_ext.authoring.payload import Converter, decode, encode
from durable_ext.errors import InvalidInputError
from durable_ext.records.entity_events import EntitySignaled
from durable_ext.records.entity_id import EntityId
from durable_ext.records.events import ChildScheduled
from durable_ext.records.ids import check_instance_id, check_name, child_execution_id, child_instance_id, is_entity
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import Payload

_BY_NAME = ByName()


class EntityScope(msgspec.Struct, frozen=True, kw_only=True):
    """What surrounds an operation: which entity and which of its executions, when, where in the batch, who calls.

    `first_id` numbers what it sends. `caller_id` is the instance that waits for the answer, None for a signal.
    `naming` turns the functions it calls into names.
    """

    execution: Execution
    operation: str
    now: datetime
    input: Payload | None = None
    position: int = 0
    size: int = 1
    caller_id: str | None = None
    first_id: int = 0
    naming: Naming = _BY_NAME


class EntityContext:
    """One operation of one entity."""

    def __init__(self, scope: EntityScope, state: EntityState, converter: Converter) -> None:
        self._scope = scope
        self._state = state
        self._converter = converter
        self._result: Any = None
        self._sent: list[EntitySignaled | ChildScheduled] = []

    @property
    def entity_id(self) -> EntityId:
        return EntityId.parse(self._scope.execution.instance_id)

    @property
    def entity_name(self) -> str:
        """Name of the entity, in lower case."""
        return self.entity_id.name

    @property
    def entity_key(self) -> str:
        return self.entity_id.key

    @property
    def operation(self) -> str:
        """Name of the operation, as the caller gave it."""
        return self._scope.operation

    @property
    def operation_name(self) -> str:
        """As `operation`, under the name of azure-functions-durable."""
        return self._scope.operation

    @property
    def caller_id(self) -> str | None:
        """Instance id of the orchestration that waits for the answer; None for a signal."""
        return self._scope.caller_id

    @property
    def now(self) -> datetime:
        """The time of this batch, aware UTC."""
        return self._scope.now

    @property
    def batch_position(self) -> int:
        """Place of this operation in its batch, from 0."""
        return self._scope.position

    @property
    def batch_size(self) -> int:
        """Operations of this batch, as far as they are known."""
        return self._scope.size

    @property
    def has_state(self) -> bool:
        """Whether the entity has a state, so whether it exists for others."""
        return self._state.exists

    @property
    def is_newly_constructed(self) -> bool:
        """Whether the entity has no state yet."""
        return not self._state.exists

    @property
    def has_input(self) -> bool:
        """Whether the caller gave an input other than null."""
        return self._scope.input is not None and self._scope.input.data != b"null"

    def get_input(self, expected_type: Any = Any) -> Any:
        """The input, decoded to a type; None without one. Raises PayloadError on a misfit."""
        return decode(self._converter, self._scope.input, Any if expected_type is None else expected_type)

    def get_state(self, initializer: Any = None, expected_type: Any = None, *, default: Any = None) -> Any:
        """The state; without one what `initializer()` returns, else `default`. Raises PayloadError on a misfit.

        A type as the first argument decodes to it: `get_state(int)`; `get_state(int, 0)` is that with a default. What
        is returned is the state itself: changes to a list, dict or object are kept when the operation ends well. An
        initial value is kept once it is set.
        """
        kind, initial, default = _wanted(initializer, expected_type, default)
        if self._state.exists:
            return self._state.get(kind)
        return default if initial is None else initial()

    def set_state(self, state: Any) -> None:
        """Replace the state; None deletes it. A value that is not data fails the operation when it ends."""
        self._state.set(state)

    def delete_state(self) -> None:
        """Leave the entity without state; it no longer exists for others."""
        self._state.set(None)

    def destruct_on_exit(self) -> None:
        """As delete_state, under the name of azure-functions-durable."""
        self._state.set(None)

    def set_result(self, result: Any) -> None:
        """What the caller gets, unless the operation returns something itself."""
        self._result = result

    @overload
    def signal_entity(
        self, entity_id: EntityId, operation: str, input_: Any = None, *, signal_time: datetime | None = None
    ) -> None: ...
    @overload
    def signal_entity(
        self,
        entity_id: EntityId,
        operation: Callable[..., Any],
        input_: Any = None,
        *,
        signal_time: datetime | None = None,
    ) -> None: ...
    def signal_entity(
        self, entity_id: EntityId, operation: Any, input_: Any = None, *, signal_time: datetime | None = None
    ) -> None:
        """Have another entity, or this one later, run an operation, at `signal_time` or soon; nobody waits for it.

        Raises PayloadError for an input that is not data and InvalidInputError for a name that cannot be one.
        """
        address = entity_address(entity_id)
        named = self._scope.naming.operation_of(EntityId.parse(address).name, operation)
        self._sent.append(
            EntitySignaled(
                id=self._next_id(),
                entity_id=address,
                operation=check_name("operation name", named),
                input=encode(self._converter, input_),
                due=None if signal_time is None else _aware(signal_time),
            )
        )

    def schedule_new_orchestration(
        self, name: Any, input_: Any = None, *, instance_id: str | None = None, version: str | None = None
    ) -> str:
        """Start an orchestration, by function or name; return its instance id. Raises as signal_entity."""
        task_id = self._next_id()
        execution = self._scope.execution
        wanted = child_instance_id(execution, task_id) if instance_id is None else check_instance_id(instance_id)
        self._sent.append(
            ChildScheduled(
                id=task_id,
                name=check_name("orchestrator name", self._scope.naming.name_of(name, "orchestrator")),
                instance_id=wanted,
                execution_id=child_execution_id(execution, task_id),
                input=encode(self._converter, input_),
                version=self._scope.naming.version_for(name, version),
                detached=True,
            )
        )
        return wanted

    @property
    def outcome(self) -> tuple[Any, tuple[EntitySignaled | ChildScheduled, ...]]:
        """What set_result was given, and all that was sent so far, in order."""
        return self._result, tuple(self._sent)

    def _next_id(self) -> int:
        return self._scope.first_id + len(self._sent)


def entity_address(entity_id: Any) -> str:
    """The instance id of an entity, given as EntityId or as `@name@key`. Raises InvalidInputError."""
    if isinstance(entity_id, str) and is_entity(entity_id):
        return str(EntityId.parse(entity_id))
    if not isinstance(entity_id, EntityId):
        raise InvalidInputError(f"an entity is addressed by EntityId(name, key), not by {entity_id!r}")
    return str(entity_id)


def _wanted(initializer: Any, expected_type: Any, default: Any) -> tuple[Any, Callable[[], Any] | None, Any]:
    """The type to decode to, the maker of an initial value, and the default."""
    if not isinstance(initializer, type):
        if initializer is not None and not callable(initializer):
            raise InvalidInputError("get_state takes a function without parameters that makes the initial state")
        return Any if expected_type is None else expected_type, initializer, default
    if expected_type is None or isinstance(expected_type, type):
        return expected_type or initializer, None if default is not None else initializer, default
    return initializer, None, expected_type


def _aware(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
