"""RetryOptions of azure-functions-durable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

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
