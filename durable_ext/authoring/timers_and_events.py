"""Timers, external events, and waiting for several tasks (a room of the orchestration context)."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar, cast

from durable_ext.authoring.calls import Calls
from durable_ext.authoring.payload import encode
from durable_ext.authoring.tasks import SEVERAL, AllTask, AnyTask, GeneratorTask, TimerTask, first_of, future_of, listed
from durable_ext.errors import InvalidInputError
from durable_ext.records.events import EventSent, TimerCreated
from durable_ext.records.given import as_utc
from durable_ext.records.ids import check_instance_id, check_name

_T = TypeVar("_T")
_Any = TypeVar("_Any", bound="asyncio.Future[Any] | GeneratorTask")
# None is a default like any other.
_NOTHING: Any = object()


class TimersAndEvents(Calls):
    """The verbs of time and of events."""

    def create_timer(self, fire_at: datetime | timedelta) -> asyncio.Future[None]:
        """A future that is done at a time, or after a duration, of any length. Cancel it when no longer needed."""
        self._decisions.check_thread()
        due = self._decisions.now + fire_at if isinstance(fire_at, timedelta) else fire_at
        if not isinstance(cast("object", due), datetime):
            raise TypeError(f"fire_at is a datetime or a timedelta, not {type(due).__qualname__}")
        task_id = self._decisions.next_id()
        timer = self._decisions.ask(task_id, TimerCreated(id=task_id, fire_at=as_utc(due).astimezone(UTC)), Any)
        return self._task(timer, TimerTask)

    def wait_for_external_event(
        self, name: str, expected_type: Any = Any, *, timeout: timedelta | None = None, default: Any = _NOTHING
    ) -> asyncio.Future[Any]:
        """The next event of this name, in the order they arrived; each is handed out once.

        With `timeout` the future raises TimeoutError when none has come by then, or has `default` when one is given.
        Raises InvalidInputError for a default without a timeout.
        """
        self._decisions.check_thread()
        check_name("event name", name)
        if timeout is None and default is not _NOTHING:
            raise InvalidInputError("default is what a wait ends with at its timeout; give a timeout too")
        event = self._decisions.wait_event(name, self._expected(expected_type))
        if timeout is None:
            return self._task(event, number=name)
        return self._task(self._decisions.loop.create_task(_within(event, timeout, default)), number=name)

    def send_event(self, instance_id: str, name: str, data: Any = None) -> None:
        """Raise an external event in another instance. Nobody waits for it. Raises PayloadError."""
        self._decisions.check_thread()
        event = EventSent(
            id=self._decisions.next_id(),
            instance_id=check_instance_id(instance_id),
            name=check_name("event name", name),
            input=encode(self._converter, data),
        )
        self._decisions.decide(event)

    def task_all(self, activities: Iterable[Awaitable[_T]]) -> asyncio.Future[list[_T]]:
        """Done when all are, with the list of their results; fails with the first that fails, and the others go on.

        Cancelling it cancels those of them that are not done.
        """
        self._decisions.check_thread()
        tasks = listed(activities, "task_all takes")
        whole = asyncio.gather(*(_awaited(task) for task in tasks))
        return self._task(whole, lambda future: AllTask(future, _views(tasks)), number=SEVERAL)

    def task_any(self, activities: Iterable[_Any]) -> asyncio.Future[_Any]:
        """Done with the first that is; its result is that very task, however it has ended. The others go on.

        Of several that are done already it is the first in the list. Raises TypeError for what is no task of the
        context and no future: a coroutine is one after `asyncio.create_task`.
        """
        self._decisions.check_thread()
        tasks = listed(activities, "task_any takes")
        first = first_of(self._decisions.loop, tasks)
        return self._task(first, lambda future: AnyTask(future, _views(tasks)), number=SEVERAL)


def _awaited(task: Any) -> Awaitable[Any]:
    # A coroutine is fine here: gather makes a task of it.
    return (
        task if inspect.isawaitable(task) and not isinstance(task, GeneratorTask) else future_of(task, "task_all takes")
    )


def _views(tasks: Sequence[Any]) -> list[GeneratorTask]:
    return [task if isinstance(task, GeneratorTask) else GeneratorTask(task) for task in tasks]


async def _within(event: asyncio.Future[Any], timeout: timedelta, default: Any) -> Any:  # noqa: ASYNC109
    if timeout < timedelta(0):
        raise InvalidInputError("timeout is negative")
    try:
        async with asyncio.timeout(timeout.total_seconds()):
            return await event
    except TimeoutError:
        if default is _NOTHING:
            raise
        return default
