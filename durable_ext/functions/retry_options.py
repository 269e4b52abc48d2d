"""Retry options as azure-functions-durable has them, as the policy that our context takes (F1)."""

from __future__ import annotations

from datetime import timedelta

from durable_ext.authoring.retry import RetryPolicy


def RetryOptions(first_retry_interval_in_milliseconds: int, max_number_of_attempts: int) -> RetryPolicy:
    """A policy with a constant pause. Every failure is tried again, as there. Raises InvalidInputError."""
    return RetryPolicy(
        first_interval=timedelta(milliseconds=first_retry_interval_in_milliseconds),
        max_attempts=max_number_of_attempts,
        retry_if=lambda failure: True,
    )
