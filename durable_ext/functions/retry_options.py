"""Retry options as azure-functions-durable has them, as the policy that our context takes (F1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec

from durable_ext.authoring.retry import RetryPolicy
from durable_ext.errors import InvalidInputError
from durable_ext.records.failures import Failure


def _every_failure(_failure: Failure) -> bool:
    return True


class _MadeOfOthers(RetryPolicy, frozen=True, kw_only=True):
    """A policy whose fields are filled in by what it is made of."""

    first_interval: timedelta = timedelta(milliseconds=1)
    max_attempts: int = 1


class RetryOptions(_MadeOfOthers, frozen=True, kw_only=False):
    """A policy in milliseconds. Every failure is tried again, as there, unless `retry_if` says otherwise.

    The pause stays the same unless `backoff_coefficient` is above 1. Raises InvalidInputError, which is a ValueError.
    """

    first_retry_interval_in_milliseconds: int
    max_number_of_attempts: int
    backoff_coefficient: float = 1.0
    max_retry_interval_in_milliseconds: int | None = None
    retry_timeout_in_milliseconds: int | None = None

    def __post_init__(self) -> None:
        for name in self.__struct_fields__[: len(RetryOptions.__annotations__)]:
            given = getattr(self, name)
            if given is not None and not isinstance(given, int | float):
                raise InvalidInputError(f"{name} is a number, not of type {type(given).__qualname__}")
        if not self.first_retry_interval_in_milliseconds > 0:
            raise InvalidInputError("first_retry_interval_in_milliseconds has to be above zero")
        if self.max_number_of_attempts < 1:
            raise InvalidInputError("max_number_of_attempts counts the first attempt and is at least 1")
        policy = {
            "first_interval": _duration(self.first_retry_interval_in_milliseconds),
            "max_attempts": self.max_number_of_attempts,
            "coefficient": self.backoff_coefficient,
            "max_interval": _duration(self.max_retry_interval_in_milliseconds),
            "timeout": _duration(self.retry_timeout_in_milliseconds),
            "retry_if": self.retry_if or _every_failure,
        }
        for name, value in policy.items():
            msgspec.structs.force_setattr(self, name, value)
        super().__post_init__()

    def to_json(self) -> dict[str, Any]:
        """The options that are set, with the keys of Durable Functions."""
        fields = {
            "firstRetryIntervalInMilliseconds": self.first_retry_interval_in_milliseconds,
            "maxNumberOfAttempts": self.max_number_of_attempts,
            "backoffCoefficient": None if self.backoff_coefficient == 1 else self.backoff_coefficient,
            "maxRetryIntervalInMilliseconds": self.max_retry_interval_in_milliseconds,
            "retryTimeoutInMilliseconds": self.retry_timeout_in_milliseconds,
        }
        return {name: value for name, value in fields.items() if value is not None}


def _duration(milliseconds: int | None) -> timedelta | None:
    return None if milliseconds is None else timedelta(milliseconds=milliseconds)
