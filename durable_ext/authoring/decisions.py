"""What the context needs from whoever runs the code: the replay engine. A protocol, so that imports go down only."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import msgspec

from durable_ext.records.events import Decision, ExecutionStarted
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import Payload
from durable_ext.records.value_events import KeptValue


class LogLine(msgspec.Struct, frozen=True):
    """A line an orchestrator logged in a new turn; the worker emits it after the commit.

    `level` is a number of the standard logging module; `logger` the user's own logger, None for the engine's.
    """

    level: int
    text: str
    logger: Any = None


class Decisions(Protocol):
    """The running execution, as the context sees it."""

    @property
    def loop(self) -> asyncio.AbstractEventLoop: ...

    @property
    def execution(self) -> Execution: ...

    @property
    def started(self) -> ExecutionStarted: ...

    @property
    def now(self) -> datetime:
        """The turn's time, aware UTC."""
        ...

    @property
    def is_replaying(self) -> bool: ...

    @property
    def values(self) -> Mapping[str, KeptValue]:
        """What the instance keeps under its keys now."""
        ...

    def next_id(self) -> int:
        """Number of the next decision of this execution."""
        ...

    @property
    def last_id(self) -> int:
        """Number of the newest decision of this execution; -1 before the first."""
        ...

    def decide(self, decision: Decision) -> None:
        """Record a decision nobody waits for."""
        ...

    def ask(self, task_id: int, decision: Decision, kind: Any) -> asyncio.Future[Any]:
        """Record a decision; the future gets the answer, decoded as `kind`."""
        ...

    def wait_event(self, name: str, kind: Any) -> asyncio.Future[Any]:
        """The next external event of this name nobody waited for yet."""
        ...

    def continue_as_new(self, payload: Payload, version: str | None, keep_events: bool) -> None:
        """End this execution and begin the next with the payload, once the code waits or returns."""
        ...

    def log(self, line: LogLine) -> None:
        """Keep a log line unless this is a replay."""
        ...

    def check_thread(self) -> None:
        """Raise NotDurableError unless the code of this execution is running right now, in this very thread."""
        ...
