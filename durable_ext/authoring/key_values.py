"""Values that an instance keeps under keys (a room of the orchestration context).

Set and cleared by decisions, which are recorded, and read from memory: a read is no decision and costs nothing. They
stay with the instance when it continues as new, and go when it is purged.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Any, TypeVar, overload

from durable_ext.authoring.decisions import Decisions
from durable_ext.authoring.payload import Converter, decode, encode
from durable_ext.errors import InvalidInputError
from durable_ext.records.events import TaskScheduled
from durable_ext.records.ids import check_instance_id, check_name
from durable_ext.records.limits import MAX_VALUE_BYTES, MAX_VALUES
from durable_ext.records.value_events import ValueCleared, ValuesCleared, ValueSet

_T = TypeVar("_T")

# The activity of the engine's own that reads a value of another instance.
READ_VALUE = "durable.read_value"


class KeyValues:
    """Mixed into the orchestration context."""

    _decisions: Decisions
    _converter: Converter
    _task: Callable[[asyncio.Future[Any]], asyncio.Future[Any]]

    def set_value(self, key: str, value: Any) -> None:
        """Keep a value under a key; `client.get_value` reads it as soon as this turn is committed.

        At most 100 keys of 256 characters each, a value of at most 16 KiB of JSON. Raises InvalidInputError beyond
        that, and PayloadError for what is not data.
        """
        self._decisions.check_thread()
        check_name("key", key)
        payload = encode(self._converter, value)
        if payload.size > MAX_VALUE_BYTES:
            raise InvalidInputError(
                f"the value under key {key!r} has {payload.size} bytes of JSON, and {MAX_VALUE_BYTES} is the most; "
                "keep it elsewhere and its address here"
            )
        kept = self._decisions.values
        if len(kept) >= MAX_VALUES and key not in kept:
            raise InvalidInputError(
                f"key {key!r} would be one more than the {MAX_VALUES} that an instance may keep; clear some first"
            )
        self._decisions.decide(ValueSet(key=key, value=payload))

    @overload
    def get_value(self, key: str, expected_type: type[_T], default: _T) -> _T: ...
    @overload
    def get_value(self, key: str, expected_type: type[_T]) -> _T | None: ...
    @overload
    def get_value(self, key: str, expected_type: Any = ..., default: Any = ...) -> Any: ...
    def get_value(self, key: str, expected_type: Any = Any, default: Any = None) -> Any:
        """What is kept under a key, decoded to a type, or the default. Raises PayloadError on a misfit."""
        self._decisions.check_thread()
        kept = self._decisions.values.get(key)
        return default if kept is None else decode(self._converter, kept.value, expected_type)

    @property
    def values(self) -> dict[str, Any]:
        """All that is kept, as plain JSON values by key; in a new dictionary."""
        self._decisions.check_thread()
        return {key: decode(self._converter, kept.value, Any) for key, kept in self._decisions.values.items()}

    def clear_value(self, key: str) -> None:
        """Keep nothing under a key any more; a key that is not there is no error."""
        self._decisions.check_thread()
        self._decisions.decide(ValueCleared(key=check_name("key", key)))

    def clear_values(self, *, set_before: datetime | None = None) -> None:
        """Keep nothing any more; with `set_before` (aware) only what was last set before then."""
        self._decisions.check_thread()
        if set_before is None:
            self._decisions.decide(ValuesCleared())
            return
        for key in [key for key, kept in self._decisions.values.items() if kept.set_at < set_before]:
            self._decisions.decide(ValueCleared(key=key))

    def get_value_of(self, instance_id: str, key: str, expected_type: Any = Any) -> asyncio.Future[Any]:
        """What another instance keeps under a key, None when there is none or no such instance.

        Read once, by an activity of the engine's own, and recorded: a replay gets the same.
        """
        self._decisions.check_thread()
        asked = {"instance_id": check_instance_id(instance_id), "key": check_name("key", key)}
        task_id = self._decisions.next_id()
        decision = TaskScheduled(id=task_id, name=READ_VALUE, input=encode(self._converter, asked))
        return self._task(self._decisions.ask(task_id, decision, expected_type))
