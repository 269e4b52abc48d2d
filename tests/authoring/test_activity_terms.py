"""On what terms an activity runs: what may be said at its registration, and what is refused there."""

from __future__ import annotations

from collections.abc import Callable, Generator
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import (
    ActivityError,
    ActivityOutcomeUnknownError,
    ActivityTimedOutError,
    ConfigurationError,
    DuplicateNameError,
    TaskFailedError,
)
from durable_ext.records.failures import failure_from

MINUTE = timedelta(minutes=1)


async def charge(ctx: ActivityContext, amount: int) -> str:
    return str(amount)


def look_up(amount: list[int]) -> str:
    return str(amount)


async def look_up_by_context(ctx: ActivityContext) -> str:
    return ctx.idempotency_key


def three(a: int, b: int, c: int) -> None: ...


def generator(amount: int) -> Generator[int, None, None]:
    yield amount


def test_nothing_is_said_nothing_is_meant() -> None:
    definition = Registry().add_activity(charge)
    assert (definition.at_most_once, definition.after_fault, definition.time_limit) == (False, None, None)


def test_what_is_said_is_kept() -> None:
    definition = Registry().add_activity(charge, at_most_once=True, after_fault=look_up, time_limit=MINUTE)
    assert (definition.at_most_once, definition.time_limit) == (True, MINUTE)
    fault = definition.after_fault
    assert fault is not None
    assert (fault.name, fault.function, fault.is_async) == ("charge", look_up, False)
    assert (fault.takes_context, fault.takes_input, fault.input_type) == (False, True, list[int])
    assert fault.time_limit == MINUTE


def test_after_fault_has_a_shape_of_its_own() -> None:
    fault = Registry().add_activity(charge, at_most_once=True, after_fault=look_up_by_context).after_fault
    assert fault is not None
    assert (fault.takes_context, fault.takes_input, fault.is_async) == (True, False, True)


@pytest.mark.parametrize(
    ("terms", "why"),
    [
        ({"after_fault": look_up}, r"'charge' has after_fault but runs at least once.*at_most_once=True"),
        ({"after_fault": "look_up", "at_most_once": True}, "after_fault of activity 'charge' is no function"),
        (
            {"after_fault": three, "at_most_once": True},
            r"after_fault of .* has the parameters \(a, b, c\)",
        ),
        ({"after_fault": generator, "at_most_once": True}, "after_fault of activity 'charge' is a generator"),
        ({"time_limit": timedelta(0)}, "time_limit of activity 'charge' .* timedelta longer than zero"),
        ({"time_limit": -MINUTE}, "longer than zero"),
        ({"time_limit": 60}, "time_limit of activity 'charge' is 60; it takes a timedelta"),
    ],
)
def test_what_cannot_work_is_refused(terms: dict[str, Any], why: str) -> None:
    registry = Registry()
    with pytest.raises(ConfigurationError, match=why):
        registry.add_activity(charge, **terms)
    assert registry.activities == {}


def test_an_unknown_option_is_refused() -> None:
    add: Callable[..., Any] = Registry().add_activity
    with pytest.raises(TypeError, match="at_most_twice"):
        add(charge, at_most_twice=True)


def test_one_function_on_two_terms() -> None:
    """The second registration would undo what the first one promises."""
    registry = Registry()
    registry.add_activity(charge, at_most_once=True)
    registry.add_activity(charge, at_most_once=True)
    with pytest.raises(DuplicateNameError, match="'charge' is registered twice with different options"):
        registry.add_activity(charge)
    assert registry.activities["charge"].at_most_once


def test_included_terms_are_kept() -> None:
    blueprint, app = Registry(), Registry()
    blueprint.add_activity(charge, time_limit=MINUTE)
    app.include(blueprint)
    assert app.activities["charge"].time_limit == MINUTE


# How an orchestrator tells them apart.


@pytest.mark.parametrize(
    ("error", "retryable"),
    [
        (ActivityTimedOutError("too long"), True),
        (ActivityTimedOutError("too long", retryable=False), False),
        (ActivityOutcomeUnknownError("who knows"), False),
    ],
)
def test_its_errors_cross_the_boundary_as_data(error: ActivityError, retryable: bool) -> None:
    """And up to a parent, in which the failure is the cause of another."""
    assert error.retryable is retryable
    met = TaskFailedError("charge", failure_from(error))
    assert met.failure.retryable is retryable
    outer = TaskFailedError("child", failure_from(met))
    for failure in (met.failure, outer.failure):
        assert failure.is_caused_by(type(error))
        assert failure.is_caused_by(type(error).__name__)
        for other in {ActivityTimedOutError, ActivityOutcomeUnknownError} - {type(error)}:
            assert not failure.is_caused_by(other)
