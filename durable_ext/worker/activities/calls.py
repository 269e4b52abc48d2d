"""One call of an activity's function: async code on the loop, anything else in a thread or a child process; with or
without a time limit.

A child process is killed. A thread cannot be stopped, and async code may ignore that it is cancelled. What outlives its
run in such a way holds its slot until it ends, so that there is never more running than there are slots.
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
from durable_ext.errors import ActivityProcessError, ActivityTimedOutError
from durable_ext.worker.activities.process_pool import ProcessCall, ProcessPool
from durable_ext.worker.activities.slots import Slot

logger = logging.getLogger("durable_ext.activities")

# How long async code may take to clean up once it is cancelled, before nobody waits for it any more.
_GRACE_SECONDS = 5.0
_Outcome = tuple[Any, BaseException | None]


class Calls:
    """Calls functions of activities, at most `threads` of them in threads and `processes` in processes at a time."""

    def __init__(self, threads: int, processes: int) -> None:
        self._most_threads = threads
        self._most_processes = processes
        self._threads: ThreadPoolExecutor | None = None
        self._waiting_threads: ThreadPoolExecutor | None = None
        self._processes = ProcessPool()
        self._in_processes: set[ProcessCall] = set()
        self._closed = False

    @property
    def running_processes(self) -> int:
        """How many calls a child process has in hand."""
        return sum(call.is_running for call in self._in_processes)

    async def call(
        self, definition: ActivityDefinition, arguments: Sequence[Any], slot: Slot, cancelled: threading.Event
    ) -> Any:
        """The result. Raises what the function raises, and ActivityTimedOutError once its time limit has passed.

        When this is cancelled or the limit passes, `cancelled` is set, async code is cancelled, a process is killed.
        What runs in a process has a ProcessCall for its one argument, a result in JSON, and fails elsewhere.
        """
        if definition.is_async and definition.time_limit is None and not definition.in_process:
            return await definition.function(*arguments)
        work = self._begin(definition, arguments, slot)
        slot.hold(work)
        limit = definition.time_limit
        try:
            await asyncio.wait([work], timeout=None if limit is None else limit.total_seconds())
            in_time = work.done()
        except asyncio.CancelledError:
            cancelled.set()
            await _stop(definition, arguments, work)
            raise
        if not in_time:
            cancelled.set()
            await _stop(definition, arguments, work)
            raise ActivityTimedOutError(
                f"activity {definition.name!r} took longer than its time limit of {limit}",
                retryable=not definition.at_most_once,
            )
        result, error = work.result()
        if self._closed and isinstance(error, ActivityProcessError):  # killed by us, and begun again elsewhere
            raise asyncio.CancelledError("the worker has drained")
        if error is not None:
            raise error
        return result

    def close(self) -> None:
        """Begin nothing more. Running threads end with their activity."""
        self._closed = True
        for threads in (self._threads, self._waiting_threads):
            if threads is not None:
                threads.shutdown(wait=False, cancel_futures=True)
        for call in list(self._in_processes):
            call.kill()
        self._processes.close()

    def _begin(self, definition: ActivityDefinition, arguments: Sequence[Any], slot: Slot) -> asyncio.Future[_Outcome]:
        if definition.is_async and not definition.in_process:
            return asyncio.ensure_future(call_as_task(definition.function, arguments, slot))
        if self._closed:
            raise asyncio.CancelledError("the worker has drained")
        if definition.in_process:
            return self._begin_in_process(arguments[0], retryable=not definition.at_most_once)
        if self._threads is None:
            self._threads = ThreadPoolExecutor(self._most_threads, thread_name_prefix="activity")
        variables = contextvars.copy_context()
        call = partial(variables.run, partial(_call_in_thread, definition.function, arguments))
        return asyncio.get_running_loop().run_in_executor(self._threads, call)

    def _begin_in_process(self, call: ProcessCall, *, retryable: bool) -> asyncio.Future[_Outcome]:
        # A thread waits for each. It is no activity's, so that none of those can keep it from being there.
        if self._waiting_threads is None:
            self._waiting_threads = ThreadPoolExecutor(self._most_processes, thread_name_prefix="process")
        self._in_processes.add(call)
        in_process = partial(self._processes.call, call, retryable=retryable)
        work = asyncio.get_running_loop().run_in_executor(
            self._waiting_threads, partial(_call_in_thread, in_process, ())
        )
        work.add_done_callback(lambda _: self._in_processes.discard(call))
        return work


async def _stop(definition: ActivityDefinition, arguments: Sequence[Any], work: asyncio.Future[_Outcome]) -> None:
    """Have async code end soon; a thread has to look for itself, and cancelling its future would only lose sight."""
    if definition.in_process:
        arguments[0].kill()
        await asyncio.wait([work])
        return
    if not definition.is_async:
        return
    work.cancel()
    await asyncio.wait([work], timeout=_GRACE_SECONDS)
    if not work.done():
        logger.warning(
            "activity %s was cancelled and goes on all the same; it keeps its slot until it ends", definition.name
        )


async def call_as_task(function: Callable[..., Any], arguments: Sequence[Any], _slot: Slot) -> _Outcome:
    """The result, or the error: a task that ends in a SystemExit would take the loop along.

    The watchdog reads the slot from this frame: in a task of its own nothing else says whose work it is.
    """
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
