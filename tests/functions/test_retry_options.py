"""RetryOptions of azure-functions-durable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from durable_ext.authoring.retry import RetryPolicy
from durable_ext.functions import RetryOptions
from durable_ext.records.failures import Failure

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_constant_pause_until_the_attempts_are_used_up() -> None:
    policy = RetryOptions(1500, 3)
    for_good = Failure(type="ValueError", message="no", retryable=False)
    pauses = [policy.pause(attempt, for_good, NOW, NOW) for attempt in (1, 2, 3)]
    assert pauses == [timedelta(seconds=1.5), timedelta(seconds=1.5), None]


@pytest.mark.parametrize(("interval", "attempts"), [(0, 3), (-1, 3), (1, 0)])
def test_what_cannot_be(interval: int, attempts: int) -> None:
    with pytest.raises(ValueError, match=r"interval|attempts"):
        RetryOptions(interval, attempts)


def test_they_are_a_policy_and_an_answer_to_isinstance() -> None:
    options = RetryOptions(first_retry_interval_in_milliseconds=5000, max_number_of_attempts=3)
    assert isinstance(options, RetryOptions)
    assert isinstance(options, RetryPolicy)
    assert (options.first_retry_interval_in_milliseconds, options.max_number_of_attempts) == (5000, 3)
    assert options.to_json() == {"firstRetryIntervalInMilliseconds": 5000, "maxNumberOfAttempts": 3}


def test_what_the_host_knows_beside() -> None:
    options = RetryOptions(
        1000,
        6,
        backoff_coefficient=2.0,
        max_retry_interval_in_milliseconds=3000,
        retry_timeout_in_milliseconds=60_000,
    )
    failure = Failure(type="ValueError", message="no")
    pauses = [options.pause(attempt, failure, NOW, NOW) for attempt in (1, 2, 3, 4)]
    assert pauses == [timedelta(seconds=seconds) for seconds in (1, 2, 3, 3)]
    assert options.pause(2, failure, NOW, NOW + timedelta(seconds=59)) is None
    assert options.to_json() == {
        "firstRetryIntervalInMilliseconds": 1000,
        "maxNumberOfAttempts": 6,
        "backoffCoefficient": 2.0,
        "maxRetryIntervalInMilliseconds": 3000,
        "retryTimeoutInMilliseconds": 60_000,
    }


def test_a_predicate_of_our_own() -> None:
    options = RetryOptions(1000, 3, retry_if=lambda failure: failure.type != "KeyError")
    assert options.pause(1, Failure(type="KeyError", message="no"), NOW, NOW) is None
    assert options.pause(1, Failure(type="ValueError", message="no"), NOW, NOW) == timedelta(seconds=1)


@pytest.mark.parametrize(
    ("interval", "attempts", "said"),
    [
        (0, 3, "first_retry_interval_in_milliseconds has to be above zero"),
        (-5, 3, "first_retry_interval_in_milliseconds has to be above zero"),
        (1000, 0, "max_number_of_attempts counts the first attempt and is at least 1"),
        ("5000", 3, "first_retry_interval_in_milliseconds is a number, not of type str"),
        (5000, timedelta(3), "max_number_of_attempts is a number, not of type timedelta"),
    ],
)
def test_the_error_names_the_argument_that_was_given(interval: Any, attempts: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        RetryOptions(interval, attempts)


def test_both_arguments_are_needed() -> None:
    make: Any = RetryOptions
    with pytest.raises(TypeError):
        make(1000)
