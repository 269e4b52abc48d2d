"""When to try an activity or a child orchestration again. Pure arithmetic."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec

from durable_ext.errors import InvalidInputError
from durable_ext.records.failures import Failure


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How often and when to try again.

    `max_attempts` counts the first one too. The pause before attempt n+1 is `first_interval * coefficient ** (n - 1)`,
    at most `max_interval`. No attempt starts later than `timeout` after the first one started. `retry_if` looks at the
    failure; without it every failure is tried again whose `retryable` holds.
    """

    first_interval: timedelta
    max_attempts: int
    coefficient: float = 1.0
    max_interval: timedelta | None = None
    timeout: timedelta | None = None
    retry_if: Callable[[Failure], bool] | None = None

    def __post_init__(self) -> None:
        if self.max_attempts < 1:
            raise InvalidInputError("max_attempts counts the first attempt and is at least 1")
        if self.first_interval <= timedelta(0):
            raise InvalidInputError("first_interval must be longer than zero")
        if not self.coefficient >= 1:  # also when it is not a number
            raise InvalidInputError("coefficient is at least 1: pauses do not shrink")
        if self.max_interval is not None and self.max_interval <= timedelta(0):
            raise InvalidInputError("max_interval must be longer than zero")
        if self.timeout is not None and self.timeout <= timedelta(0):
            raise InvalidInputError("timeout must be longer than zero")

    def pause(self, attempt: int, failure: Failure, started: datetime, now: datetime) -> timedelta | None:
        """The pause after failed attempt number `attempt` (from 1), or None to give up."""
        wanted = self.retry_if(failure) if self.retry_if is not None else failure.retryable
        if attempt >= self.max_attempts or not wanted:
            return None
        pause = self._interval(attempt)
        if self.timeout is not None and now + pause - started > self.timeout:
            return None
        return pause

    def _interval(self, attempt: int) -> timedelta:
        longest = self.max_interval or timedelta(days=365)
        try:
            return min(self.first_interval * self.coefficient ** (attempt - 1), longest)
        except OverflowError:
            return longest


def check_policy(call: str, given: object) -> RetryPolicy:
    """The policy itself. Raises TypeError for anything else: an input in its place would mean no attempts at all."""
    if isinstance(given, RetryPolicy):
        return given
    raise TypeError(
        f"{call} takes a RetryPolicy, or RetryOptions, before the input; this is of type {type(given).__qualname__}"
    )
