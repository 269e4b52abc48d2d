"""The context of an orchestrator: each call records a decision and returns a future (R2, R5).

Everything here is deterministic: time is the turn's time, ids and random numbers derive from the execution.
"""

from __future__ import annotations

import asyncio
import random
import uuid
from collections.abc import Callable
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar, cast

from durable_ext.authoring.activity_calls import ActivityCalls
from durable_ext.authoring.activity_context import ActivityContext
from durable_ext.authoring.child_calls import ChildCalls
from durable_ext.authoring.decisions import Decisions
from durable_ext.authoring.entity_calls import EntityCalls
from durable_ext.authoring.http_calls import HttpCalls
from durable_ext.authoring.key_values import KeyValues
from durable_ext.authoring.logger import ReplaySafeLogger
from durable_ext.authoring.outcomes import Outcomes
from durable_ext.authoring.payload import Converter, decode, or_none
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.tasks import GeneratorTask
from durable_ext.authoring.timers_and_events import TimersAndEvents
from durable_ext.records.ids import deterministic_uuid, seed

__all__ = ["ActivityContext", "GeneratorContext", "OrchestrationContext"]

_T = TypeVar("_T")
_Kind = Callable[[asyncio.Future[Any]], GeneratorTask]


class OrchestrationContext(ActivityCalls, ChildCalls, TimersAndEvents, EntityCalls, HttpCalls, KeyValues, Outcomes):
    """The durable world of one execution. Use it from the orchestrator's own code only, never from a thread."""

    def __init__(self, decisions: Decisions, registry: Registry, converter: Converter) -> None:
        self._decisions = decisions
        self._registry = registry
        self._converter = converter
        self._uuids = 0

    @property
    def instance_id(self) -> str:
        return self._decisions.execution.instance_id

    @property
    def execution_id(self) -> str:
        return self._decisions.execution.execution_id

    @property
    def parent_instance_id(self) -> str | None:
        parent = self._decisions.started.parent
        return None if parent is None else parent.instance_id

    @property
    def name(self) -> str:
        """Name of this orchestrator."""
        return self._decisions.started.name

    @property
    def version(self) -> str | None:
        """What this execution is pinned to; continue-as-new keeps it unless it gives another one."""
        return self._decisions.started.version

    @property
    def tags(self) -> dict[str, str]:
        return dict(self._decisions.started.tags)

    @property
    def now(self) -> datetime:
        """The time of this turn, aware UTC; the same at every replay."""
        return self._decisions.now

    @property
    def current_utc_datetime(self) -> datetime:
        return self._decisions.now

    @property
    def is_replaying(self) -> bool:
        return self._decisions.is_replaying

    @cached_property
    def logger(self) -> ReplaySafeLogger:
        """A logger that is silent during replay."""
        return ReplaySafeLogger(self._decisions)

    def create_replay_safe_logger(self, logger: Any) -> ReplaySafeLogger:
        """A view of one of the app's loggers that is silent during replay."""
        return ReplaySafeLogger(self._decisions, logger)

    @cached_property
    def random(self) -> random.Random:
        """Random numbers that are the same at every replay."""
        return random.Random(seed(self._decisions.execution))  # noqa: S311 - has to be predictable

    def new_uuid(self) -> str:
        """A UUID that is the same at every replay (the recipe of azure-functions-durable)."""
        text = self.now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        value = deterministic_uuid(self.instance_id, text, self._uuids)
        self._uuids += 1
        return str(value)

    def new_guid(self) -> uuid.UUID:
        """As new_uuid, as a UUID object."""
        return uuid.UUID(self.new_uuid())

    def get_input(self, expected_type: Any = Any) -> Any:
        """The input, decoded to a type, by default the registered one. Raises PayloadError on a misfit."""
        definition = self._registry.find_orchestrator(self.name, self.version)
        kind = self._expected(expected_type)
        if kind is Any and definition is not None:
            kind = definition.input_type
        return decode(self._converter, self._decisions.started.input, kind)


class GeneratorContext(OrchestrationContext):
    """The context of a generator orchestrator: its calls return tasks to yield, named as in that package."""

    def _task(
        self, future: asyncio.Future[_T], kind: _Kind = GeneratorTask, *, number: int | str | None = None
    ) -> asyncio.Future[_T]:
        task = kind(future)
        task.id = self._decisions.last_id if number is None else number
        return cast("asyncio.Future[_T]", task)

    def _expected(self, kind: Any) -> Any:
        return or_none(super()._expected(kind))
