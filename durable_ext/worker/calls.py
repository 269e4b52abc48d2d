"""One call of an activity's function: async code on the loop, anything else in a thread; with or without a time limit.

A thread cannot be stopped, and async code may ignore that it is cancelled. What outlives its run in such a way holds
its slot until it ends, so that there is never more running than there are slots.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from durable_ext.authoring.registry import ActivityDefinition
from durable_ext.errors import ActivityTimedOutError

logger = logging.getLogger("durable_ext.activities")

# How long async code may take to clean up once it is cancelled, before nobody waits for it any more.
_GRACE_SECONDS = 5.0
_Outcome = tuple[Any, BaseException | None]


class Slot:
    """One activity slot, from when it is free until all that runs in it has ended; `left` follows that."""

    def __init__(self, slots: asyncio.Semaphore, left: Callable[[], None]) -> None:
        self._slots = slots
        self._left = left
        self._holders = 1

    @property
    def is_taken(self) -> bool:
        """Whether something is still in the slot, or waits for it."""
        return self._holders > 0

    async def __aenter__(self) -> Slot:
        try:
            await self._slots.acquire()
        except BaseException:
            self._holders = 0
            self._left()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._let_go()

    def hold(self, work: asyncio.Future[Any]) -> None:
        """Keep the slot until this work has ended too."""
        self._holders += 1
        work.add_done_callback(self._let_go)

    def _let_go(self, _: object = None) -> None:
        self._holders -= 1
        if self._holders == 0:
            self._slots.release()
            self._left()


class Calls:
    """Calls functions of activities, at most `threads` of them in threads at a time."""

    def __init__(self, threads: int) -> None:
        self._most_threads = threads
        self._threads: ThreadPoolExecutor | None = None
        self._closed = False

    async def call(
        self, definition: ActivityDefinition, arguments: Sequence[Any], slot: Slot, cancelled: threading.Event
    ) -> Any:
        """The result. Raises what the function raises, and ActivityTimedOutError once its time limit has passed.

        When this is cancelled or the limit passes, `cancelled` is set, and async code is cancelled too.
        """
        if definition.is_async and definition.time_limit is None:
            return await definition.function(*arguments)
        work = self._begin(definition, arguments)
        slot.hold(work)
        limit = definition.time_limit
        try:
            await asyncio.wait([work], timeout=None if limit is None else limit.total_seconds())
            in_time = work.done()
        except asyncio.CancelledError:
            cancelled.set()
            await _stop(definition, work)
            raise
        if not in_time:
            cancelled.set()
            await _stop(definition, work)
            raise ActivityTimedOutError(
                f"activity {definition.name!r} took longer than its time limit of {limit}",
                retryable=not definition.at_most_once,
            )
        result, error = work.result()
        if error is not None:
            raise error
        return result

    def close(self) -> None:
        """Begin nothing more. Running threads end with their activity."""
        self._closed = True
        if self._threads is not None:
            self._threads.shutdown(wait=False, cancel_futures=True)

    def _begin(self, definition: ActivityDefinition, arguments: Sequence[Any]) -> asyncio.Future[_Outcome]:
        if definition.is_async:
            return asyncio.ensure_future(_call_as_task(definition.function, arguments))
        if self._closed:
            raise asyncio.CancelledError("the worker has drained")
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._most_threads, thread_name_prefix="activity")
        variables = contextvars.copy_context()
        call = partial(variables.run, partial(_call_in_thread, definition.function, arguments))
        return asyncio.get_running_loop().run_in_executor(self._threads, call)


async def _stop(definition: ActivityDefinition, work: asyncio.Future[_Outcome]) -> None:
    """Have async code end soon; a thread has to look for itself, and cancelling its future would only lose sight."""
    if not definition.is_async:
        return
    work.cancel()
    await asyncio.wait([work], timeout=_GRACE_SECONDS)
    if not work.done():
        logger.warning(
            "activity %s was cancelled and goes on all the same; it keeps its slot until it ends", definition.name
        )


async def _call_as_task(function: Callable[..., Any], arguments: Sequence[Any]) -> _Outcome:
    """The result, or the error: a task that ends in a SystemExit would take the loop along."""
    try:
        return await function(*arguments), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised again by who waits for it
        return None, error


def _call_in_thread(function: Callable[..., Any], arguments: Sequence[Any]) -> _Outcome:
    """The result, or the error: a future cannot carry a StopIteration, and nobody may be there to look at it."""
    try:
        return function(*arguments), None
    except StopIteration as error:
        wrapped = RuntimeError(f"the activity raised StopIteration: {error}")
        wrapped.__cause__ = error
        return None, wrapped
    except (Exception, SystemExit) as error:  # noqa: BLE001 - raised again by who waits for it
        return None, error
