"""The deterministic asyncio event loop an orchestrator runs on (R2).

Its time is the turn's time; `call_later` and `call_at` are durable timers, so that asyncio.sleep and asyncio.timeout
are; callbacks run in the order they were scheduled. It never waits: `run_ready` returns when nothing is ready. All that
reaches outside (sockets, threads, processes, signals) is refused with an error that says what to do.

The loop runs inside a callback or a task of the worker's own loop. asyncio keeps the running loop and the current task
in the thread, so both are set aside for the time of a run.
"""

from __future__ import annotations

import asyncio
import contextvars
import inspect
import sys
from asyncio import events, tasks
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any, NoReturn, TypeVar

from durable_ext.authoring.closing import LEFT_BEHIND, Knife, close, endless
from durable_ext.authoring.places import innermost, outwards, waiting_place
from durable_ext.errors import NotDurableError, OrchestratorError
from durable_ext.records.limits import MAX_CALLBACKS, MAX_CALLS

_T = TypeVar("_T")
# Decides a durable timer for a time (seconds since the epoch) and returns the number of the decision.
TimerStarter = Callable[[float], int]
# Takes the number of a decision whose answer the code no longer waits for.
Withdrawal = Callable[[int], None]
# The running loop, its task and the hooks of async generators that a loop finds in its thread.
_Outside = tuple[asyncio.AbstractEventLoop | None, asyncio.Task[Any] | None, Any]


class _NumberedTask(asyncio.Task[_T]):
    """A task whose hash is its number: sets of tasks, as TaskGroup keeps, then have the same order at every replay."""

    def __init__(self, coro: Coroutine[Any, Any, _T], loop: OrchestratorLoop, number: int, **options: Any) -> None:
        # asyncio has all tasks of the process in one set: there each needs a hash of its own, else a new one is
        # compared with those of all other loops that have its number.
        self._number = id(self)
        super().__init__(coro, loop=loop, **options)
        self._number = number
        # What still waits when the orchestration ends is meant to be dropped.
        self._log_destroy_pending = False

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _NumberedFuture(asyncio.Future[_T]):
    """A future whose hash is its number, for the sets that asyncio.wait returns."""

    def __init__(self, loop: OrchestratorLoop, number: int) -> None:
        self._number = number
        super().__init__(loop=loop)

    def __hash__(self) -> int:
        return self._number

    def __eq__(self, other: object) -> bool:
        return self is other


class _Answer(_NumberedFuture[_T]):
    """The answer to a decision. Its loop hears at once when the code cancels it, so in the order the code does."""

    def __init__(self, loop: OrchestratorLoop, number: int, task_id: int) -> None:
        self._task_id = task_id
        self._orchestrator_loop = loop
        super().__init__(loop, number)

    def cancel(self, msg: Any = None) -> bool:
        cancelled = super().cancel(msg)
        if cancelled:
            self._orchestrator_loop.withdraw(self._task_id)
        return cancelled


class _DurableTimer(asyncio.TimerHandle):
    __slots__ = ("task_id",)
    task_id: int


class OrchestratorLoop(asyncio.AbstractEventLoop):
    """One loop per live execution. `timers` are the durable timers that nobody cancelled, by decision."""

    def __init__(self, start_timer: TimerStarter, withdraw: Withdrawal) -> None:
        self._ready: deque[asyncio.Handle] = deque()
        self._now = 0.0
        self._start_timer = start_timer
        self.withdraw = withdraw
        self._created = 0
        self._alive: dict[int, asyncio.Task[Any]] = {}
        self._closed = False
        self._closing = False
        self._calls = 0  # of verbs, since the code last waited
        self._knife = Knife()
        self.timers: dict[int, asyncio.TimerHandle] = {}
        self.running = False
        self.refusal: OrchestratorError | None = None
        self.complaints: list[str] = []

    def set_time(self, seconds: float) -> None:
        """Set the turn's time, in seconds since the epoch."""
        self._now = seconds

    def run_ready(self) -> None:
        """Run callbacks until none is ready, or until it is clear that the code will never wait."""
        if not self._ready:
            return
        self._calls, left, calls = 0, MAX_CALLBACKS, 0
        outside = self._enter()  # at every input, so without a context manager
        self.running = True
        try:
            while self._ready:
                handle = self._ready.popleft()
                left -= 1
                if not left:
                    if self._calls == calls:
                        self._give_up(handle)
                        return
                    left, calls = MAX_CALLBACKS, self._calls
                if not handle.cancelled():
                    try:  # for every callback, so without a context manager
                        handle._run()
                    except SystemExit:
                        continue  # its task has it too, and fails
        finally:
            self.running = False
            self._knife.put_away()
            self._leave(*outside)

    def _enter(self) -> _Outside:
        """Be the running loop of the thread, until `_leave`; what was so before comes back."""
        outer = events._get_running_loop()
        current = None if outer is None else tasks.current_task(outer)
        if outer is not None and current is not None:
            tasks._leave_task(outer, current)
        events._set_running_loop(self)
        # Async generators of the orchestrator must not be closed by the worker's loop later on.
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(None, self._close_generator)
        return outer, current, hooks

    def _leave(self, outer: asyncio.AbstractEventLoop | None, current: asyncio.Task[Any] | None, hooks: Any) -> None:
        sys.set_asyncgen_hooks(*hooks)
        events._set_running_loop(outer)
        if outer is not None and current is not None:
            tasks._enter_task(outer, current)

    def count_call(self) -> None:
        """The code calls a verb. Raises EndlessTurnError when it has called too many since it last waited."""
        self._calls += 1
        if self._calls > MAX_CALLS:
            place = innermost(outwards(inspect.currentframe()))
            what = f"has called its context {MAX_CALLS:,} times without waiting"
            self.refusal = self.refusal or endless(place, what)
            self._knife.refused()
            raise self.refusal

    def refuse_closed(self) -> None:
        """Code that is being thrown away calls a verb, which is about to raise."""
        if self._closing:
            self._knife.refused()

    def _give_up(self, handle: asyncio.Handle) -> None:
        task: Any = getattr(getattr(handle, "_callback", None), "__self__", None)
        # The task whose next turn it is; a task of asyncio's own was begun by one of the others.
        spinning: list[asyncio.Task[Any]] = [task] if isinstance(task, asyncio.Task) else []
        places = (waiting_place(one.get_coro()) for one in (*spinning, *self._alive.values()))
        place = next((found for found in places if found is not None), None)
        self.refusal = endless(place, f"has gone on for {MAX_CALLBACKS:,} callbacks without calling its context")

    def _close_generator(self, generator: AsyncGenerator[Any, Any]) -> None:
        """One that was left before its end is closed by a task, as asyncio does; after the end by nobody."""
        if self.running:
            self.create_task(generator.aclose())

    def fire(self, task_id: int) -> bool:
        """A durable timer is due: its callback is ready. False when there is no such timer (any more)."""
        handle = self.timers.pop(task_id, None)
        if handle is None:
            return False
        self._ready.append(handle)
        return True

    def drop(self) -> None:
        """Throw away what still runs, without letting it act."""
        self._closed = True
        if self._alive:
            outside = self._enter()
            self._closing = True
            try:
                for task in list(self._alive.values()):
                    self._close(task)
            finally:
                self._closing = False
                self._knife.put_away()
                self._leave(*outside)
        self._ready.clear()
        self._alive.clear()

    def _close(self, task: asyncio.Task[Any]) -> None:
        tasks._enter_task(self, task)
        try:
            if not close(task.get_coro(), self._knife):
                self.complaints.append(LEFT_BEHIND)
        finally:
            tasks._leave_task(self, task)

    def time(self) -> float:
        self.refuse_closed()  # asyncio.timeout asks, and then raises
        return self._now

    def call_soon(
        self, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        handle = asyncio.Handle(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_later(
        self, delay: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., Any], *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.TimerHandle:
        handle = _DurableTimer(when, callback, args, self, context)
        if when <= self._now or self._closed:
            handle.task_id = -1
            self._ready.append(handle)
        else:
            self.count_call()
            handle.task_id = self._start_timer(when)
            self.timers[handle.task_id] = handle
        return handle

    def _timer_handle_cancelled(self, handle: _DurableTimer) -> None:
        # asyncio calls this when a timer handle is cancelled.
        self.timers.pop(handle.task_id, None)

    def create_future(self) -> asyncio.Future[Any]:
        return _NumberedFuture(self, self._next_number())

    def create_answer(self, task_id: int) -> asyncio.Future[Any]:
        """The future of a decision that is withdrawn when the code cancels it."""
        return _Answer(self, self._next_number(), task_id)

    def _next_number(self) -> int:
        self._created += 1
        return self._created

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        if self._closed:
            coro.close()
            self.refuse_closed()
            raise asyncio.CancelledError("the execution was thrown away")
        options.pop("eager_start", None)  # 3.14 hands it over; starting eagerly would change the order
        number = self._next_number()
        task = _NumberedTask(coro, self, number, **options)
        self._alive[number] = task
        task.add_done_callback(lambda _: self._alive.pop(number, None))
        return task

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return self.running

    def is_closed(self) -> bool:
        return self._closed

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        self.complaints.append(f"{context.get('message', '')}: {error!r}" if error else str(context.get("message")))

    def refuse(self, what: str) -> NoReturn:
        """Fail the instance: what was asked for is not durable."""
        self.refusal = NotDurableError(
            f"the orchestrator used {what}, which is lost when the process ends; do it in an activity and await "
            "ctx.call_activity(...)"
        )
        raise self.refusal


def _refusing(name: str) -> Callable[..., Any]:
    def refuse(self: OrchestratorLoop, *_args: Any, **_options: Any) -> NoReturn:
        self.refuse(f"asyncio's {name}")

    return refuse


# Every verb of asyncio's loop that is not defined above reaches outside.
for _name in dir(asyncio.AbstractEventLoop):
    if not _name.startswith("_") and _name not in vars(OrchestratorLoop):
        setattr(OrchestratorLoop, _name, _refusing(_name))
