"""What a generator orchestrator yields: a view of a durable future with the names of azure-functions-durable.

An `async` orchestrator gets plain asyncio futures instead, so that gather, wait and timeout take them as they are.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from enum import Enum
from typing import Any, cast

_MOST_CLOSES = 10


class TaskState(Enum):
    """How far a task is; a cancelled one has failed."""

    RUNNING = 0
    SUCCEEDED = 1
    FAILED = 2


class GeneratorTask:
    """A durable future for code that yields. Two views are equal when they are the same object.

    `children` are what it is made of; `parent` is the task made of this one last.
    """

    def __init__(self, future: asyncio.Future[Any], children: Sequence[GeneratorTask] = ()) -> None:
        self.future = future
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

    def __init__(self, loop: asyncio.AbstractEventLoop, children: Sequence[GeneratorTask]) -> None:
        super().__init__(loop.create_future(), children)
        if not children:
            self.future.set_result(None)
        for child in children:
            child.future.add_done_callback(lambda _, child=child: self._finish(child))
            if child.future.done():
                self._finish(child)

    def _finish(self, child: GeneratorTask) -> None:
        if child.is_faulted:
            child.future.exception()  # seen: the code looks at the winner itself
        if not self.future.done():
            self.future.set_result(child)


async def run_generator(generator: Generator[Any, Any, Any]) -> Any:
    """Drive a generator orchestrator as a coroutine: each yielded task is awaited and its outcome handed back."""
    try:
        return await _drive(generator)
    finally:
        _close(generator)


async def _drive(generator: Generator[Any, Any, Any]) -> Any:
    outcome: Any = None
    error: BaseException | None = None
    while True:
        try:
            yielded = generator.send(outcome) if error is None else generator.throw(error)
        except StopIteration as stop:
            return stop.value
        outcome, error = None, None
        try:
            outcome = await _future_of(yielded)
        except Exception as raised:  # noqa: BLE001 - handed to the generator, which decides
            error = raised


def _close(generator: Generator[Any, Any, Any]) -> None:
    """Close it, and once more if it yields meanwhile, in `finally` for example."""
    for _ in range(_MOST_CLOSES):
        try:
            generator.close()
        except Exception as error:  # noqa: BLE001 - code thrown away has no say any more
            del error
        else:
            return


def _future_of(yielded: Any) -> asyncio.Future[Any]:
    if isinstance(yielded, GeneratorTask):
        return yielded.future
    if isinstance(yielded, asyncio.Future):
        return cast("asyncio.Future[Any]", yielded)
    raise TypeError(f"yield takes a task of the context, not {type(yielded).__qualname__}")
