"""What an activity may know about its call, and how it learns that nobody wants the outcome any more."""

from __future__ import annotations

from typing import Protocol


class Signal(Protocol):
    """A flag that a thread can look at or wait for, as threading.Event is."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class ActivityContext:
    """What an activity may know about its call.

    `attempt` counts deliveries of its work item, from 1. `cancelled` is set when nobody wants the outcome any more: a
    test hands over a threading.Event.
    """

    def __init__(
        self, instance_id: str, execution_id: str, task_id: int, attempt: int = 1, cancelled: Signal | None = None
    ) -> None:
        self.instance_id = instance_id
        self.execution_id = execution_id
        self.task_id = task_id
        self.attempt = attempt
        self._cancelled = cancelled

    @property
    def is_cancelled(self) -> bool:
        """Whether nobody wants the outcome any more: the orchestrator cancelled the call, the instance was terminated,
        the time limit has passed, the lease is lost or the process stops (S6). What the activity returns then is
        dropped. An async activity is cancelled; one in a thread should look now and then and stop."""
        return self._cancelled is not None and self._cancelled.is_set()

    def wait_cancelled(self, timeout: float) -> bool:
        """For threads: sleep so many seconds, or until `is_cancelled` turns true if that is sooner; whether it has."""
        return self._cancelled is not None and self._cancelled.wait(timeout)

    @property
    def idempotency_key(self) -> str:
        """The same for every run of this one call: hand it to services that can drop repeats."""
        return f"{self.execution_id}-{self.task_id}"
