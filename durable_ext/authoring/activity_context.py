"""What an activity may know about its call, how it tells how far it is, and how it learns that nobody wants the outcome
any more."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Protocol

from durable_ext.authoring.activity_log import ActivityLogger, SilentLogger


class Signal(Protocol):
    """A flag that a thread can look at or wait for, as threading.Event is."""

    def is_set(self) -> bool: ...

    def wait(self, timeout: float | None = None) -> bool: ...


class Progress(Protocol):
    """Where the progress of a call goes, and what an earlier run of it left."""

    def report(self, value: Any) -> None:
        """Keep a value as the newest progress. Raises PayloadError for what is no data, or too much of it."""
        ...

    def decode(self, kind: Any) -> Any:
        """The newest progress, this run's or an earlier one's; None when there is none. Raises PayloadError."""
        ...


class ActivityContext:
    """What an activity may know about its call.

    `name` is that of the activity, empty in a context made by hand. `attempt` counts deliveries of its work item, from
    1. `cancelled` is set when nobody wants the outcome any more: a test hands over a threading.Event.
    """

    name: str = ""

    def __init__(
        self, instance_id: str, execution_id: str, task_id: int, attempt: int = 1, cancelled: Signal | None = None
    ) -> None:
        self.instance_id = instance_id
        self.execution_id = execution_id
        self.task_id = task_id
        self.attempt = attempt
        self._cancelled = cancelled
        self._progress: Progress | None = None
        self._log: Callable[[ActivityContext], ActivityLogger] | None = None

    def attach(
        self, name: str, progress: Progress, log: Callable[[ActivityContext], ActivityLogger] | None = None
    ) -> None:
        """Have `heartbeat`, `last_progress` and `logger` go there; without it they do nothing."""
        self.name, self._progress, self._log = name, progress, log

    @cached_property
    def logger(self) -> ActivityLogger:
        """A logger as those of the standard logging module, `durable_ext.activity.{name}`.

        Its records have `activity`, `instance_id`, `execution_id`, `task_id` and `attempt`. A context made by hand logs
        nowhere.
        """
        return SilentLogger() if self._log is None else self._log(self)

    def heartbeat(self, progress: Any = None) -> bool:
        """Say that the activity is alive and how far it is; whether its outcome is still wanted (not `is_cancelled`).

        `progress` is any value that is data, at most 16 KiB of JSON; None only asks. Cheap: call it as often as you
        like, every few seconds the newest value is stored. `Client.activity_progress` reads it while the activity
        runs, and when the activity has to begin again, its next run finds it as `last_progress`. From any thread.
        Raises PayloadError.
        """
        if progress is not None and self._progress is not None:
            self._progress.report(progress)
        return not self.is_cancelled

    @property
    def last_progress(self) -> Any:
        """The newest progress of this call as plain JSON value: what an earlier run stored, until this one says more.
        None when there is none."""
        return self.last_progress_as(Any)

    def last_progress_as(self, kind: Any) -> Any:
        """The same, decoded to a type. Raises PayloadError when it does not fit."""
        return None if self._progress is None else self._progress.decode(kind)

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
