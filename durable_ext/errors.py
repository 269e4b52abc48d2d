"""Every error this package raises on purpose, as one tree.

    DurableError
    ├── ConfigurationError          the app or its settings are wrong; nothing was started
    │   ├── DuplicateNameError      two functions registered under one name
    │   └── HubMismatchError        the task hub was created with other settings, or by another engine
    ├── InvalidInputError           a caller handed over something that cannot work; also a ValueError
    │   └── PayloadError            a value that JSON cannot carry, or that does not fit the wanted type
    ├── InstanceNotFoundError       no instance has this id
    │   └── ScheduleNotFoundError   no schedule has this id
    ├── InstanceExistsError         an instance with this id is there and may not be replaced
    │   └── ScheduleExistsError     a schedule with this id is there
    ├── InstanceStateError          the instance is in a state that does not allow the command
    ├── OrchestratorError           what an orchestrator's code meets, or what ends it
    │   ├── TaskFailedError         an activity or a child orchestration failed; carries the Failure
    │   ├── VersionMismatchError    no code here for the version of the execution
    │   ├── EntityLockLostError     a call to an entity whose lock was released meanwhile; as the Failure of such a call
    │   ├── NonDeterminismError     the code asked for something else than its history has (R3)
    │   ├── NotDurableError         the code awaited something that is not durable (R2)
    │   └── EndlessTurnError        the code went on and on without waiting for anything, or stopped its process
    ├── ActivityError               an activity has no outcome of its own; to an orchestrator a TaskFailedError too
    │   ├── ActivityTimedOutError   it took longer than its time limit
    │   ├── ActivityProcessError    the process it ran in ended before it answered
    │   └── ActivityOutcomeUnknownError  at most once: it began, what came of it is unknown, it is not run again
    ├── HttpRequestError            a request of call_http got no response; in a TaskFailedError, as its Failure (R4)
    └── StorageError                a storage call did not do what was asked
        ├── TurnLostError           another process committed this turn (P2)
        ├── RowChangedError         the Instances row is not the one that was read (P8)
        ├── LeaseLostError          the delivery belongs to somebody else now (S6)
        ├── HubNotFoundError        there is no task hub of this name: no host has made it
        ├── UnreadableRowError      a row of the hub that this engine did not write, or that is damaged
        └── StorageUnavailableError throttled, timed out or unreachable after all retries

`retryable` says whether the same call may succeed later without anybody changing anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_ext.records.failures import Failure
    from durable_ext.records.instance import RuntimeStatus
    from durable_ext.records.parting import Parting, Place


class DurableError(Exception):
    """Root of all errors of this package."""

    retryable: bool = False


class ConfigurationError(DurableError):
    """The app or its settings are wrong. The message says which setting and what to do."""


class DuplicateNameError(ConfigurationError):
    """Two functions are registered under one name."""


class HubMismatchError(ConfigurationError):
    """The task hub in storage was created with other settings, or by another engine: the message says what to do."""


class InvalidInputError(DurableError, ValueError):
    """A caller handed over something that cannot work: an id, a name, a date, a status."""


class PayloadError(InvalidInputError):
    """A value cannot be carried as JSON, or does not fit the type that was asked for."""


class InstanceNotFoundError(DurableError):
    """No instance has this id."""


class ScheduleNotFoundError(InstanceNotFoundError):
    """No schedule has this id."""


class InstanceExistsError(DurableError):
    """An instance with this id is there, in a status that may not be replaced (P9): `status`, where it is known."""

    def __init__(self, message: str, status: RuntimeStatus | None = None) -> None:
        super().__init__(message)
        self.status = status


class ScheduleExistsError(InstanceExistsError):
    """A schedule with this id is there: update it, or delete it first."""


class InstanceStateError(DurableError):
    """The instance is in a state that does not allow the command, for example finished."""


class OrchestratorError(DurableError):
    """What an orchestrator's code meets, or what ends it."""


class TaskFailedError(OrchestratorError):
    """An activity or a child orchestration failed. `failure` has type, message, traceback and cause (R4).

    What an orchestrator meets is of the type that was raised as well, where that type is known: `except OutOfStock`.
    """

    def __init__(self, task_name: str, failure: Failure) -> None:
        super().__init__(failed_text(task_name, failure))
        self.task_name = task_name
        self.failure = failure


def failed_text(task_name: str, failure: Failure) -> str:
    """The text of a TaskFailedError."""
    return f"{task_name} failed: {failure.summary}"


class EntityLockLostError(OrchestratorError):
    """The lock of an entity was released while its holder still called it. Orchestrators meet it as the failure of a
    TaskFailedError: `error.failure.is_caused_by(EntityLockLostError)`."""


class VersionMismatchError(OrchestratorError):
    """There is no code here for the version an execution is pinned to, or this worker does not take that version."""


class NonDeterminismError(OrchestratorError):
    """A replay asked for something else than the history has. The instance is not harmed: fix the code (R3).

    `parting` has the parts of the message for tools; so have the attributes named after them. All are None when
    the error was made from a message alone.
    """

    def __init__(self, message: str, parting: Parting | None = None) -> None:
        super().__init__(message)
        self.parting = parting
        self.expected: str | None = None if parting is None else parting.expected
        self.actual: str | None = None if parting is None else parting.actual
        self.turn: int | None = None if parting is None else parting.turn
        self.event: int | None = None if parting is None else parting.event
        self.source: Place | None = None if parting is None else parting.source


class NotDurableError(OrchestratorError):
    """The orchestrator awaited a socket, a thread or a foreign future. Do such work in an activity (R2)."""


class EndlessTurnError(OrchestratorError):
    """The code of one turn came to no end: it went on without waiting, or blocked the event loop until its process had
    to be ended, time and again. The message names the line."""


class ActivityError(DurableError):
    """An activity came to no outcome of its own. Orchestrators catch it by its type, as a TaskFailedError too."""


class ActivityTimedOutError(ActivityError):
    """The time limit of the activity has passed. Not retryable when it runs at most once: it may have had an effect."""

    retryable = True

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class ActivityProcessError(ActivityError):
    """The process an activity ran in ended before it answered. Not retryable when the activity runs at most once."""

    retryable = True

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class ActivityOutcomeUnknownError(ActivityError):
    """An activity that runs at most once began before, and what came of it is unknown. It is not run again."""


class HttpRequestError(DurableError):
    """A request of `call_http` got no response: no connection, no answer in time, too long an answer."""

    retryable = True

    def __init__(self, message: str, *, retryable: bool = True) -> None:
        super().__init__(message)
        self.retryable = retryable


class StorageError(DurableError):
    """A storage call failed for good. The message names the call."""


class TurnLostError(StorageError):
    """Another process committed this turn; nothing of ours became visible (P2)."""


class RowChangedError(StorageError):
    """The Instances row changed since it was read; read it again and decide anew (P8)."""


class LeaseLostError(StorageError):
    """The delivery expired or was taken by another process; stop the work it guards (S6)."""


class HubNotFoundError(StorageError):
    """There is no task hub of this name in the storage. A host creates it at its start, or `durable hub create`."""


class UnreadableRowError(StorageError):
    """A row that something else wrote into a table of the hub, or that is damaged. The message names it."""


class StorageUnavailableError(StorageError):
    """Storage was throttled, timed out or unreachable after all retries."""

    retryable = True
