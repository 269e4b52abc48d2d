"""What a generator orchestrator yields: a view of a durable future with the names of azure-functions-durable.

An `async` orchestrator gets plain asyncio futures instead, so that gather, wait and timeout take them as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator, Iterable, Sequence
from enum import Enum
from typing import Any, cast

from durable_ext.authoring.closing import LEFT_BEHIND, Knife, close, endless
from durable_ext.authoring.places import waiting_place
from durable_ext.records.limits import MAX_CALLBACKS

SEVERAL = -1


class TaskState(Enum):
    """How far a task is; a cancelled one has failed."""

    RUNNING = 0
    SUCCEEDED = 1
    FAILED = 2


class GeneratorTask:
    """A durable future for code that yields. Two views are equal when they are the same object.

    `children` are what it is made of; `parent` is the task made of this one last. `id` is the number of its call in the
    execution, of a retried one that of the first attempt; for an external event its name, and -1 for what is made of
    several.
    """

    def __init__(self, future: asyncio.Future[Any], children: Sequence[GeneratorTask] = ()) -> None:
        self.future = future
        self.id: int | str = SEVERAL
        self.parent: GeneratorTask | None = None
        self.children = list(children)
        for child in self.children:
            child.parent = self

    def __await__(self) -> Generator[Any, None, Any]:
        return self.future.__await__()

    @property
    def is_completed(self) -> bool:
        return self.future.done()

    @property
    def state(self) -> TaskState:
        if not self.future.done():
            return TaskState.RUNNING
        return TaskState.FAILED if self.is_cancelled or self.is_faulted else TaskState.SUCCEEDED

    @property
    def is_faulted(self) -> bool:
        return self.future.done() and not self.future.cancelled() and self.future.exception() is not None

    @property
    def is_cancelled(self) -> bool:
        return self.future.cancelled()

    @property
    def result(self) -> Any:
        """The result; for a failed task the exception, as azure-functions-durable has it; None while it runs."""
        if not self.future.done() or self.future.cancelled():
            return None
        return self.future.exception() or self.future.result()

    def cancel(self) -> None:
        """Stop waiting for it. A timer no longer fires."""
        self.future.cancel()


class TimerTask(GeneratorTask):
    """A timer."""

    def is_canceled(self) -> bool:
        """As `is_cancelled`, the way long timers of azure-functions-durable have it."""
        return self.is_cancelled


class AllTask(GeneratorTask):
    """Done when its children are, with the list of their results; failed with the first that fails."""


class AnyTask(GeneratorTask):
    """Done with its first finished child; its result is that child."""


def first_of(loop: asyncio.AbstractEventLoop, tasks: Sequence[Any]) -> asyncio.Future[Any]:
    """A future whose result is the first of the tasks that is done, the very object; None when there are none.

    Raises TypeError for what is neither a future nor a task of the context.
    """
    first: asyncio.Future[Any] = loop.create_future()

    def finish(future: asyncio.Future[Any], task: Any) -> None:
        if not future.cancelled():
            future.exception()  # seen: the code looks at the winner itself
        if not first.done():
            first.set_result(task)

    pairs = [(future_of(task, "task_any takes"), task) for task in tasks]
    if not pairs:
        first.set_result(None)
    for future, task in pairs:
        future.add_done_callback(lambda future, task=task: finish(future, task))
        if future.done():
            finish(future, task)
    return first


def future_of(task: Any, who: str) -> asyncio.Future[Any]:
    """The future of a task of the context, or the future itself. Raises TypeError: `who` begins its text."""
    if isinstance(task, GeneratorTask):
        return task.future
    if isinstance(task, asyncio.Future):
        return cast("asyncio.Future[Any]", task)
    hint = "; several of them go into task_all" if isinstance(task, (list, tuple, set)) else ""
    raise TypeError(f"{who} a task of the context, not {type(cast('Any', task)).__qualname__}{hint}")


def listed(tasks: Any, who: str) -> list[Any]:
    """What was given to wait for, as a list. Raises TypeError: `who` begins its text."""
    # A future can be iterated over, for `yield from`.
    if isinstance(tasks, (GeneratorTask, asyncio.Future)):
        raise TypeError(f"{who} a list of tasks, not a single one")
    if not isinstance(tasks, Iterable):
        raise TypeError(f"{who} a list of tasks, not {type(tasks).__qualname__}")
    return list(cast("Iterable[Any]", tasks))


async def run_generator(generator: Generator[Any, Any, Any], starts_over: Callable[[], bool]) -> Any:
    """Drive a generator orchestrator as a coroutine: each yielded task is awaited and its outcome handed back.

    `starts_over` tells whether the code has called continue_as_new, after which it may yield nothing.
    """
    try:
        return await _drive(generator, starts_over)
    finally:
        knife = Knife()
        try:
            if not close(generator, knife):
                asyncio.get_running_loop().call_exception_handler({"message": LEFT_BEHIND})
        finally:
            knife.put_away()


async def _drive(generator: Generator[Any, Any, Any], starts_over: Callable[[], bool]) -> Any:
    outcome: Any = None
    error: BaseException | None = None
    done_in_a_row = 0
    while done_in_a_row < MAX_CALLBACKS:
        try:
            yielded = generator.send(outcome) if error is None else generator.throw(error)
        except StopIteration as stop:
            return stop.value
        outcome, error = None, None
        if yielded is None and starts_over():  # yield context.continue_as_new(...): it waits for what never comes
            yielded = asyncio.get_running_loop().create_future()
        try:
            future = future_of(yielded, "yield takes")
            done_in_a_row = done_in_a_row + 1 if future.done() else 0
            outcome = await future
        except asyncio.CancelledError:
            this = asyncio.current_task()
            if this is None or this.cancelling():
                raise
            error = RuntimeError("the task that was yielded has been cancelled; nothing comes of it any more")
        except Exception as raised:  # noqa: BLE001 - handed to the generator, which decides
            error = raised
    raise endless(waiting_place(generator), f"yielded {MAX_CALLBACKS:,} tasks in a row that were done already")
