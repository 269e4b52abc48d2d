"""Arithmetic of retries."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import InvalidInputError
from durable_ext.records.failures import Failure

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
FAILURE = Failure(type="OSError", message="gone")


def seconds(policy: RetryPolicy, attempt: int, *, failure: Failure = FAILURE, elapsed: float = 0) -> float | None:
    """The pause after an attempt that failed so many seconds after the first one started."""
    pause = policy.pause(attempt, failure, NOON, NOON + timedelta(seconds=elapsed))
    return None if pause is None else pause.total_seconds()


@pytest.mark.parametrize(
    ("policy", "pauses"),
    [
        (RetryPolicy(first_interval=5 * SECOND, max_attempts=4), [5, 5, 5, None]),
        (RetryPolicy(first_interval=5 * SECOND, max_attempts=1), [None]),
        (RetryPolicy(first_interval=5 * SECOND, max_attempts=5, coefficient=2), [5, 10, 20, 40, None]),
        (RetryPolicy(first_interval=2 * SECOND, max_attempts=4, coefficient=1.5), [2, 3, 4.5, None]),
        (
            RetryPolicy(first_interval=5 * SECOND, max_attempts=6, coefficient=2, max_interval=12 * SECOND),
            [5, 10, 12, 12, 12, None],
        ),
        (RetryPolicy(first_interval=20 * SECOND, max_attempts=3, max_interval=12 * SECOND), [12, 12, None]),
    ],
)
def test_pauses(policy: RetryPolicy, pauses: list[float | None]) -> None:
    assert [seconds(policy, attempt) for attempt in range(1, len(pauses) + 1)] == pauses


@pytest.mark.parametrize(("elapsed", "pause"), [(0, 10), (49, 10), (50, 10), (50.5, None), (51, None), (999, None)])
def test_no_attempt_starts_after_the_timeout(elapsed: float, pause: float | None) -> None:
    policy = RetryPolicy(first_interval=10 * SECOND, max_attempts=99, timeout=60 * SECOND)
    assert seconds(policy, 1, elapsed=elapsed) == pause


@pytest.mark.parametrize("attempt", [50, 500, 5000, 100_000])
def test_a_pause_never_overflows(attempt: int) -> None:
    policy = RetryPolicy(first_interval=SECOND, max_attempts=10**9, coefficient=10)
    assert seconds(policy, attempt) == timedelta(days=365).total_seconds()


def test_what_is_not_retryable_is_given_up() -> None:
    policy = RetryPolicy(first_interval=SECOND, max_attempts=3)
    assert seconds(policy, 1, failure=Failure(type="ValueError", message="bad", retryable=False)) is None


def test_the_app_decides_by_the_failure() -> None:
    policy = RetryPolicy(
        first_interval=SECOND, max_attempts=3, retry_if=lambda failure: failure.is_caused_by("OSError")
    )
    assert seconds(policy, 1) == 1
    assert seconds(policy, 1, failure=Failure(type="OSError", message="gone", retryable=False)) == 1
    assert seconds(policy, 1, failure=Failure(type="ValueError", message="bad")) is None
    assert seconds(policy, 3) is None


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"max_attempts": 0}, "at least 1"),
        ({"max_attempts": -1}, "at least 1"),
        ({"first_interval": timedelta(0)}, "longer than zero"),
        ({"first_interval": -SECOND}, "longer than zero"),
        ({"coefficient": 0.5}, "coefficient"),
        ({"coefficient": float("nan")}, "coefficient"),
        ({"max_interval": timedelta(0)}, "max_interval"),
        ({"max_interval": -SECOND}, "max_interval"),
        ({"timeout": timedelta(0)}, "timeout"),
    ],
)
def test_policies_that_make_no_sense(options: dict[str, object], why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        RetryPolicy(**{"first_interval": SECOND, "max_attempts": 3, **options})  # pyright: ignore[reportArgumentType]
