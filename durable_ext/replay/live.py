"""The code of one execution in memory, between turns.

`apply` hands it one input and runs it until it waits; what it decided meanwhile comes back. Given the same inputs at
the same times it decides the same, whether they arrive for the first time or from history (R1, R2).
"""

from __future__ import annotations

import asyncio
import inspect
import threading
from collections import defaultdict, deque
from collections.abc import Generator
from datetime import UTC, datetime
from typing import Any, assert_never, cast

import msgspec

from durable_ext.authoring.context import GeneratorContext, OrchestrationContext
from durable_ext.authoring.decisions import LogLine
from durable_ext.authoring.payload import Converter, decode
from durable_ext.authoring.raised import task_failed
from durable_ext.authoring.registry import OrchestratorDefinition, Registry
from durable_ext.authoring.tasks import run_generator
from durable_ext.errors import EndlessTurnError, NotDurableError, PayloadError, TaskFailedError
from durable_ext.records import events
from durable_ext.records.events import Decision, EventRaised, ExecutionStarted, Input
from durable_ext.records.failures import Failure, failure_from
from durable_ext.records.ids import child_execution_id, lock_id, next_execution_id
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.value_events import KeptValue, ValueDecision, enter
from durable_ext.replay.loop import OrchestratorLoop

_WARNING = 30
_Success = events.TaskCompleted | events.ChildCompleted | events.OperationCompleted
_Failed = events.TaskFailed | events.ChildFailed | events.OperationFailed
_Answer = _Success | _Failed | events.TimerFired | events.LockAcquired
# What asyncio says of a future of another loop.
_FOREIGN = "attached to a different loop"


class _Asked:
    """A decision the code waits for."""

    __slots__ = ("future", "kind", "name")

    def __init__(self, name: str, future: asyncio.Future[Any], kind: Any) -> None:
        self.name = name
        self.future = future
        self.kind = kind


class LiveExecution:
    """A running orchestrator. Implements `Decisions` for its context. After an error of `apply`, throw it away."""

    def __init__(self, execution: Execution, registry: Registry, converter: Converter) -> None:
        self.execution = execution  # as the code sees it: after a rewind, the first of the chain
        self.actual = execution
        self.is_replaying = False
        self.now = datetime.fromtimestamp(0, UTC)
        self.finished = False
        self.error: BaseException | None = None  # what the code failed with
        self.logs: list[LogLine] = []
        self.loop = OrchestratorLoop(self._start_timer, self._withdraw)
        self._registry = registry
        self._converter = converter
        self._started: ExecutionStarted | None = None
        self._main: asyncio.Task[Any] | None = None
        self._decided: list[Decision] = []
        self._count = 0
        self._asked: dict[int, _Asked] = {}
        self._mailbox: defaultdict[str, deque[EventRaised]] = defaultdict(deque)
        self._waiting: defaultdict[str, deque[_Asked]] = defaultdict(deque)
        self._held: deque[Input] = deque()  # inputs kept back while suspended
        self._suspended = False
        self._next: events.ContinuedAsNew | None = None
        self._keep_events = True
        self.values: dict[str, KeptValue] = {}
        self._status_changes = 0
        self._thread = 0

    # What the context asks for.

    @property
    def started(self) -> ExecutionStarted:
        if self._started is None:
            raise LookupError("the execution has not started")
        return self._started

    def next_id(self) -> int:
        self._count += 1
        return self._count - 1

    @property
    def last_id(self) -> int:
        return self._count - 1

    def decide(self, decision: Decision) -> None:
        if self._next is not None:  # what comes after continue-as-new is dropped
            return
        if isinstance(decision, events.ChildScheduled) and self.execution is not self.actual:
            # The failed execution may have had another child under this number.
            own = child_execution_id(self.actual, decision.id)
            decision = msgspec.structs.replace(decision, execution_id=own)
        if isinstance(decision, events.EntityCalled) and decision.lock and self.execution is not self.actual:
            asked = int(decision.lock.rpartition(":")[2])
            decision = msgspec.structs.replace(decision, lock=lock_id(self.actual, asked))
        if isinstance(decision, ValueDecision):
            enter(self.values, decision, self.now)
        elif isinstance(decision, events.CustomStatusSet):
            self._status_changes += 1
        self._decided.append(decision)

    def ask(self, task_id: int, decision: Decision, kind: Any) -> asyncio.Future[Any]:
        self.decide(decision)
        withdrawn = isinstance(decision, events.TaskScheduled)
        future = self.loop.create_answer(task_id) if withdrawn else self.loop.create_future()
        name = _name_of(decision)
        self._asked[task_id] = _Asked(name, future, kind)
        return future

    def wait_event(self, name: str, kind: Any) -> asyncio.Future[Any]:
        waiter = _Asked(name, self.loop.create_future(), kind)
        early = self._mailbox.get(name)
        if early and self._next is None:  # after continue-as-new they belong to the next execution
            self._resolve(waiter, early.popleft().input)
        else:
            self._waiting[name].append(waiter)
        return waiter.future

    def continue_as_new(self, payload: Payload, version: str | None, keep_events: bool) -> None:
        self._keep_events = keep_events
        self._next = events.ContinuedAsNew(
            input=payload,
            execution_id=next_execution_id(self.actual),
            version=version or self.started.version,
        )

    def log(self, line: LogLine) -> None:
        if not self.is_replaying:
            self.logs.append(line)

    def check_thread(self) -> None:
        if not self.loop.running or threading.get_ident() != self._thread:
            self.loop.refuse_closed()
            raise NotDurableError(
                "the orchestration context was used outside of its orchestrator's own code (from a thread, an activity "
                "or after the orchestration ended); call it from the orchestrator only"
            )
        self.loop.count_call()

    # What the turn asks for.

    def apply(self, event: Input, now: datetime) -> list[Decision]:
        """Hand over one input, run until the code waits, return its decisions; the last may end the execution."""
        self.now = now
        self.loop.set_time(now.timestamp())
        self._thread = threading.get_ident()
        if type(event) is events.TaskCompleted and not self._suspended:  # what happens most
            self._answer(event.task_id, event.result)
        else:
            self._take(event)
        self._run()
        decided, self._decided = self._decided, []
        return decided

    def wants_timer(self, task_id: int) -> bool:
        """Whether firing this timer would still mean anything to the code."""
        asked = self._asked.get(task_id)
        return task_id in self.loop.timers or (asked is not None and not asked.future.done())

    @property
    def unconsumed(self) -> tuple[EventRaised, ...]:
        """External events nobody waited for, by name in the order of arrival, and those that are still kept back."""
        early = [event for name in self._mailbox for event in self._mailbox[name]]
        return (*early, *(event for event in self._held if isinstance(event, EventRaised)))

    @property
    def is_suspended(self) -> bool:
        """Whether inputs are kept back."""
        return self._suspended

    @property
    def awaited_events(self) -> tuple[str, ...]:
        """Names of the external events that the code waits for."""
        open_waits = (waiter for waiters in self._waiting.values() for waiter in waiters if not waiter.future.done())
        return tuple(dict.fromkeys(waiter.name for waiter in open_waits))

    def drop(self) -> None:
        """Throw the code away without letting it act."""
        self.finished = True
        self.loop.drop()
        self.logs += (LogLine(_WARNING, complaint) for complaint in self.loop.complaints)
        self.loop.complaints.clear()

    def _take(self, event: Input) -> None:
        match event:
            case events.ExecutionSuspended():
                self._suspended = True
            case events.ExecutionResumed():
                self._suspended = False
                while self._held and not self.finished:
                    self._take(self._held.popleft())
                    self._run()
            case events.ExecutionTerminated():
                self.drop()
            case events.ParentRewound() | events.ExecutionRewound():
                self._rewind(event)
            case _ if self._suspended:
                self._held.append(event)
            case events.ExecutionStarted():
                self._start(event)
            case events.EventRaised():
                self._raise(event)
            case (
                events.OperationRequested() | events.LockRequested() | events.LockReleased() | events.RemovalRequested()
            ):
                raise LookupError(f"an orchestration does not take {type(event).__name__}")
            case _:
                self._settle(event)

    def _rewind(self, event: events.ParentRewound | events.ExecutionRewound) -> None:
        if isinstance(event, events.ExecutionRewound):
            self.execution = msgspec.structs.replace(self.actual, execution_id=event.origin)

    def _settle(self, event: _Answer) -> None:
        match event:
            case events.TaskCompleted() | events.ChildCompleted() | events.OperationCompleted():
                self._answer(event.task_id, event.result)
            case events.TaskFailed() | events.ChildFailed() | events.OperationFailed():
                self._fail(event.task_id, event.failure)
            case events.TimerFired() | events.LockAcquired():
                self._fire(event.task_id)
            case _:
                assert_never(event)

    def _run(self) -> None:
        if self.finished:
            return
        self.loop.run_ready()
        for complaint in self.loop.complaints:
            self.log(LogLine(_WARNING, complaint))
        self.loop.complaints.clear()
        if self.loop.refusal is not None:
            if isinstance(self.loop.refusal, EndlessTurnError):
                self._decided.clear()  # however much of it there is
            self._finish(events.ExecutionFailed(failure=failure_from(self.loop.refusal)))
        elif self._main is not None and self._main.done():
            self._finish(self._outcome(self._main))
        elif self._next is not None:
            self._finish(self._next)
        elif self._main is not None and not self._waits():
            stuck = NotDurableError(
                "the orchestrator awaits something that is neither a task of its context, a timer nor an event, and "
                "that nothing can ever finish; await ctx calls and asyncio functions only"
            )
            self._finish(events.ExecutionFailed(failure=failure_from(stuck)))

    def _finish(self, decision: Decision) -> None:
        if isinstance(decision, events.ContinuedAsNew):
            decision = msgspec.structs.replace(
                decision,
                carried=self.unconsumed if self._keep_events else (),
                values=dict(self.values),
                status_changes=self._status_changes,
            )
        self._decided.append(decision)
        self.drop()

    def _outcome(self, main: asyncio.Task[Any]) -> Decision:
        if main.cancelled():
            return events.ExecutionFailed(
                failure=failure_from(asyncio.CancelledError("the orchestrator was cancelled"))
            )
        error = main.exception()
        if error is None and self._next is not None:
            return self._next
        if error is None:
            try:
                return events.ExecutionCompleted(result=inline(self._converter.encode(main.result())))
            except PayloadError as misfit:
                error = misfit
        if isinstance(error, RuntimeError) and not isinstance(error, TaskFailedError) and _FOREIGN in str(error):
            error = _foreign(error)
        self.error = error
        return events.ExecutionFailed(failure=failure_from(error, self._registry.properties_of))

    def _waits(self) -> bool:
        """Whether anything is under way that can wake the code."""
        return (
            bool(self.loop.timers)
            or any(not asked.future.done() for asked in self._asked.values())
            or any(not waiter.future.done() for waiters in self._waiting.values() for waiter in waiters)
        )

    def _start(self, event: ExecutionStarted) -> None:
        self._started = event
        self.values, self._status_changes = dict(event.values), event.status_changes
        definition = self._registry.find_orchestrator(event.name, event.version)
        if definition is None:
            error = self._registry.missing(event.name, event.version)
            self._finish(events.ExecutionFailed(failure=failure_from(error)))
            return
        self._main = self.loop.create_task(self._execute(definition, event))

    async def _execute(self, definition: OrchestratorDefinition, event: ExecutionStarted) -> Any:
        # A plain function may hand on the generator of another one, and these take tasks to yield.
        kind = OrchestrationContext if definition.is_async else GeneratorContext
        context = kind(self, self._registry, self._converter)
        arguments: list[Any] = [context]
        if definition.takes_input:
            data = b"null" if event.input is None else event.input.data
            arguments.append(decode(self._converter, inline(data), definition.input_type))
        result = definition.function(*arguments)
        if isinstance(result, Generator):
            generator = cast("Generator[Any, Any, Any]", result)
            return await run_generator(generator, lambda: context.will_continue_as_new)
        return await result if inspect.isawaitable(result) else result

    def _start_timer(self, when: float) -> int:
        task_id = self.next_id()
        self.decide(events.TimerCreated(id=task_id, fire_at=datetime.fromtimestamp(when, UTC)))
        return task_id

    def _withdraw(self, task_id: int) -> None:
        """The code cancelled the future of an activity. When the code itself is thrown away, nothing is decided."""
        self._asked.pop(task_id, None)
        if self.loop.running and not any(getattr(event, "task_id", None) == task_id for event in self._held):
            self.decide(events.TaskCancelled(task_id=task_id))

    def _fire(self, task_id: int) -> None:
        if not self.loop.fire(task_id):
            self._answer(task_id, inline(b"null"))

    def _answer(self, task_id: int, result: Payload) -> None:
        asked = self._asked.pop(task_id, None)
        if asked is not None:
            self._resolve(asked, result)

    def _fail(self, task_id: int, failure: Failure) -> None:
        asked = self._asked.pop(task_id, None)
        if asked is not None and not asked.future.done():
            asked.future.set_exception(task_failed(asked.name, failure, self._registry.errors))

    def _raise(self, event: EventRaised) -> None:
        waiters = self._waiting[event.name]
        while waiters:
            waiter = waiters.popleft()
            if not waiter.future.done():  # one that gave up must not eat the event
                self._resolve(waiter, event.input)
                return
        self._mailbox[event.name].append(event)

    def _resolve(self, asked: _Asked, payload: Payload) -> None:
        if asked.future.done():
            return
        try:
            asked.future.set_result(decode(self._converter, payload, asked.kind))
        except PayloadError as error:
            asked.future.set_exception(error)


def _name_of(decision: Decision) -> str:
    """What a failure says has failed."""
    if isinstance(decision, events.EntityCalled):
        return f"operation {decision.operation!r} of entity {decision.entity_id}"
    return str(getattr(decision, "name", "timer"))


def _foreign(error: RuntimeError) -> NotDurableError:
    refusal = NotDurableError(
        "the orchestrator awaited a future of another event loop, which is lost when the process ends; do such work in "
        "an activity and await ctx.call_activity(...)"
    )
    refusal.__cause__ = error
    return refusal
