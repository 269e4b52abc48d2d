"""An execution that remembers which line of the user's code asked for what, to explain a difference (R3).

Looking at frames costs; so this is a kind of its own, used where code is checked and once code and history have
parted. What it decides is what any live execution decides.
"""

from __future__ import annotations

import asyncio
import copy
import functools
import inspect
import weakref
from collections.abc import Callable
from datetime import datetime
from types import FrameType, TracebackType
from typing import Any

from durable_ext.authoring.payload import Converter
from durable_ext.authoring.places import frame_of, function_of, innermost, is_the_users, place, waiting_place
from durable_ext.authoring.registry import AnyFunction, OrchestratorDefinition, Registry
from durable_ext.records.events import ContinuedAsNew, Decision, ExecutionStarted, Input
from durable_ext.records.instance import Execution
from durable_ext.records.parting import Place
from durable_ext.records.payloads import Payload
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.loop import OrchestratorLoop

_BOUNDARY = OrchestratorLoop.run_ready.__code__


class Witness(LiveExecution):
    """A live execution that can say where its last decisions come from."""

    def __init__(self, execution: Execution, registry: Registry, converter: Converter) -> None:
        super().__init__(execution, registry, converter)
        self._traced = _TracedLoop(self._start_timer, self._withdraw)
        self.loop = self._traced
        self._last: list[Decision] = []
        self._places: list[Place | None] = []  # of the decisions of this turn, in their order
        self._body: Any = None
        self._frame: FrameType | None = None
        self._head: Place | None = None
        self._continued: Place | None = None
        self._ended: Place | None = None

    @classmethod
    def of(cls, live: LiveExecution) -> Witness:
        """A fresh one of the same execution and the same code."""
        return cls(live.actual, live._registry, live._converter)

    def place_of(self, decision: Decision | None) -> Place | None:
        """The line that asked for a decision of the last input; of None: where the code waits, or has ended."""
        if decision is None:
            return self._waiting_place()
        found = (place for known, place in zip(self._last, self._places, strict=False) if known is decision)
        return next(found, None)

    def apply(self, event: Input, now: datetime) -> list[Decision]:
        self._places.clear()
        self._last = super().apply(event, now)
        return self._last

    def decide(self, decision: Decision) -> None:
        before = len(self._decided)
        super().decide(decision)
        if len(self._decided) > before:
            self._places.append(self._asking_place())

    def continue_as_new(self, payload: Payload, version: str | None, keep_events: bool) -> None:
        super().continue_as_new(payload, version, keep_events)
        self._continued = self._asking_place()

    def drop(self) -> None:
        super().drop()
        self._body = self._frame = None  # frames hold what holds them

    def _finish(self, decision: Decision) -> None:
        self._ended = self._ending_place(decision)
        if not self._decided:  # what endless code decided is not kept
            self._places.clear()
        self._places.append(self._ended)
        super()._finish(decision)

    async def _execute(self, definition: OrchestratorDefinition, event: ExecutionStarted) -> Any:
        watched = copy.copy(definition)
        watched.function = self._watched(definition.function)
        return await super()._execute(watched, event)

    def _watched(self, function: AnyFunction) -> AnyFunction:
        code = getattr(function, "__code__", None)
        if code is not None:
            self._head = Place(code.co_filename, code.co_firstlineno, function_of(code.co_qualname))

        @functools.wraps(function)
        def call(*arguments: Any) -> Any:
            self._body = function(*arguments)
            # Kept, a frame tells its last line even when the code has returned.
            self._frame = frame_of(self._body)
            return self._body

        return call

    def _asking_place(self) -> Place | None:
        return current_place() or self._traced.origin()

    def _waiting_place(self) -> Place | None:
        return self._ended if self.finished else waiting_place(self._body) or self._head

    def _ending_place(self, decision: Decision) -> Place | None:
        if isinstance(decision, ContinuedAsNew):
            return self._continued
        main = self._main
        if self.loop.refusal is not None:
            return _raising_place(self.loop.refusal) or self._waiting_place()
        if main is None or not main.done() or main.cancelled():
            return self._waiting_place()
        error = main.exception()
        if error is not None:
            return _raising_place(error) or self._head
        return self._head if self._frame is None else innermost([self._frame]) or self._head


class _TracedLoop(OrchestratorLoop):
    """Knows for each task which line began it: retries and timeouts run in tasks of the engine's own."""

    def __init__(self, start_timer: Callable[[float], int], withdraw: Callable[[int], None]) -> None:
        super().__init__(start_timer, withdraw)
        self._origins: weakref.WeakKeyDictionary[asyncio.Task[Any], Place | None] = weakref.WeakKeyDictionary()

    def create_task(self, coro: Any, **options: Any) -> asyncio.Task[Any]:
        task = super().create_task(coro, **options)
        self._origins[task] = current_place() or self.origin()
        return task

    def origin(self) -> Place | None:
        """The line that began the task which is running now."""
        task = asyncio.current_task(self)
        return None if task is None else self._origins.get(task)


def current_place() -> Place | None:
    """The innermost line of the user's code that is being run by an orchestrator's loop; None outside of one."""
    frames: list[FrameType] = []
    frame = inspect.currentframe()
    while frame is not None and frame.f_code is not _BOUNDARY:
        frames.append(frame)
        frame = frame.f_back
    return None if frame is None else innermost(frames)


def _raising_place(error: BaseException) -> Place | None:
    found: Place | None = None
    link: TracebackType | None = error.__traceback__
    while link is not None:
        if is_the_users(link.tb_frame):
            found = place(link.tb_frame, link.tb_lineno)
        link = link.tb_next
    return found
