"""Entity code: functions, classes with a context, classes that are their state; and the state itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from durable_ext.authoring.entities import DurableEntity, EntityDefinition
from durable_ext.authoring.entity_context import EntityContext, EntityScope
from durable_ext.authoring.entity_state import EntityState
from durable_ext.authoring.payload import JsonConverter
from durable_ext.errors import ConfigurationError, InvalidInputError, PayloadError
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import Payload, inline

NOW = datetime(2030, 1, 1, tzinfo=UTC)


class Basket:
    """An operation has one input."""

    def add(self, item: str, count: int) -> int:
        raise NotImplementedError


class Bare:
    """No operation at all."""


@dataclass
class Counter:
    value: int = 0

    def add(self, amount: int = 1) -> int:
        self.value += amount
        return self.value

    def tell(self, context: EntityContext, word: str) -> str:
        return f"{context.entity_key} {word}"

    async def later(self) -> int:
        return self.value

    def _secret(self) -> None:
        raise NotImplementedError


class Kept(DurableEntity):
    """State by get_state; a new object for every operation."""

    def add(self, amount: int) -> int:
        value = int(self.get_state(int, 0)) + amount
        self.set_state(value)
        return value

    def Delete(self) -> str:
        return "mine"


def scope(operation: str, value: Any = None) -> EntityScope:
    return EntityScope(
        execution=Execution(instance_id="@counter@k", execution_id="e", generation=0),
        operation=operation,
        now=NOW,
        input=None if value is None else inline(JsonConverter().encode(value)),
        position=0,
        size=1,
        caller_id=None,
        first_id=0,
    )


def called(code: Callable[..., Any], operation: str, value: Any = None, state: Payload | None = None) -> Any:
    """The result of an operation and the state after it."""
    kept = EntityState(state, JsonConverter())
    context = EntityContext(scope(operation, value), kept, JsonConverter())
    returned = EntityDefinition("Counter", code).call(context)
    after = kept.encoded()
    return returned, None if after is None else after.data


def test_an_object_is_its_own_state() -> None:
    assert called(Counter, "add", 3) == (3, b'{"value":3}')
    assert called(Counter, "add", None, inline(b'{"value":4}')) == (5, b'{"value":5}'), "a default is the input"
    assert called(Counter, "tell", "hello") == ("k hello", b'{"value":0}')
    assert called(Counter, "ADD", 1)[0] == 1, "capitals do not matter"


def test_a_class_with_a_context_keeps_what_it_sets() -> None:
    assert called(Kept, "add", 3, inline(b"4")) == (7, b"7")
    assert called(Kept, "delete", None, inline(b"4")) == ("mine", b"4"), "its own delete is the one that runs"


def test_delete_is_there_without_being_defined() -> None:
    assert called(Counter, "delete", None, inline(b'{"value":4}')) == (None, None)


def test_a_function_takes_every_operation() -> None:
    def takes(context: EntityContext) -> str:
        return f"{context.operation}:{context.get_input(int)}"

    assert called(takes, "anything", 5) == ("anything:5", None)


def test_what_is_unknown_or_hidden_is_refused_and_the_others_are_named() -> None:
    for name in ("fly", "_secret", "get_state"):
        with pytest.raises(InvalidInputError, match=r"no operation .*; it has add, delete, later, tell"):
            called(Counter, name)


def test_an_input_that_does_not_fit_is_said() -> None:
    with pytest.raises(PayloadError):
        called(Counter, "add", "three")


def test_what_a_definition_knows_of_its_operations() -> None:
    definition = EntityDefinition("Counter", Counter)
    assert definition.name == "counter"
    assert set(definition.operations) == {"add", "later", "tell"}
    assert definition.is_async("later")
    assert not definition.is_async("add")
    assert definition.result_type("add") is int
    assert definition.result_type("fly") is Any
    assert set(EntityDefinition("k", Kept).operations) == {"add", "Delete"}


def test_what_cannot_be_an_entity_is_refused() -> None:
    def takes_two(context: EntityContext, more: int) -> None:
        raise NotImplementedError

    def generates(context: EntityContext) -> Any:
        yield 1

    for wrong in (takes_two, generates, Bare, Basket):
        with pytest.raises(ConfigurationError):
            _ = EntityDefinition("wrong", wrong).operations


def test_two_operations_that_differ_in_capitals_are_meant_exactly() -> None:
    class Two(DurableEntity):
        def go(self) -> str:
            return "small"

        def GO(self) -> str:
            return "large"

    assert called(Two, "go")[0] == "small"
    assert called(Two, "GO")[0] == "large"
    with pytest.raises(InvalidInputError):
        called(Two, "Go")


def test_a_state_that_nobody_changed_is_the_very_payload() -> None:
    stored = inline(b'{ "value" : 4 }')
    for look in (None, int, dict):
        state = EntityState(stored if look is not int else inline(b"4"), JsonConverter())
        before = state.encoded()
        if look is not None:
            state.get(look)
        if look is not dict:
            assert state.encoded() is before
    state = EntityState(inline(b'{"value":4}'), JsonConverter())
    same = state.encoded()
    state.get(dict)
    assert state.encoded() is same, "what reads the same is the same"


def test_a_state_changed_inside_is_seen_and_none_is_no_state() -> None:
    state = EntityState(inline(b'{"value":4}'), JsonConverter())
    assert state.exists
    state.get(dict)["value"] = 5
    changed = state.encoded()
    assert changed is not None
    assert changed.data == b'{"value":5}'
    assert state.get(dict) is state.get(dict)
    state.set(None)
    assert (state.exists, state.encoded(), state.get(int)) == (False, None, None)
    assert not EntityState(None, JsonConverter()).exists
