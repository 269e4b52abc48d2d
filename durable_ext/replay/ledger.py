"""What an execution has asked for and what has come back, folded from its turns.

It answers four questions: is this message news (P7), is it ahead of its cause (P12), what do committed turns still owe
(P4, P6), and which work items do they withdraw.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum, auto
from typing import assert_never

from durable_ext.records import events, messages
from durable_ext.records.events import ExecutionStarted, Input, Terminal
from durable_ext.records.ids import is_entity, message_id
from durable_ext.records.instance import Caller, Execution
from durable_ext.records.messages import Message
from durable_ext.records.turns import Turn, placed
from durable_ext.replay.entity_outbox import answered_caller
from durable_ext.replay.inputs import Answer, answer, asked_of_entity, is_child, started, with_parent
from durable_ext.replay.order import Order
from durable_ext.replay.outbox import LockUse, Owed, Question, asked, owed_by


class Verdict(Enum):
    """Why a message is no input of the next turn."""

    KNOWN = auto()  # consumed already, or answered already
    EARLY = auto()  # its cause is not in this history
    OVER = auto()  # for an execution that has ended or is another, or for another kind of decision


class Ledger:
    """The books of one execution."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.started: ExecutionStarted | None = None
        self.ended: Terminal | None = None
        self.turns = 0
        self._turns: list[Turn] = []
        self._consumed: set[str] = set()
        self._open: dict[int, tuple[Turn, int, Question]] = {}  # with the turn and the position in it
        self._answered: set[int] = set()
        self._cancelled: set[int] = set()  # these are among the answered too
        self._given_over: set[int] = set()  # as are these
        self._withdrawn: dict[int, list[str]] = {}  # message ids by the number of the turn that withdraws them
        self._locks: dict[int, LockUse] = {}
        self._order = Order()
        self._is_entity = is_entity(execution.instance_id)

    def record(self, turn: Turn) -> None:
        """Enter a committed turn. Turns come in order."""
        self.turns = turn.number + 1
        self._turns.append(turn)
        self._consumed.update(turn.message_ids)
        for position, event in placed(turn):
            self._enter(turn, position, event)
        if self._locks or not _SENT.isdisjoint(map(type, turn.events)):
            self._order.enter(self._owed_by(turn))

    def expect(self, beginning: ExecutionStarted) -> None:
        """Nothing is recorded yet, and the first turn will begin so."""
        self.started = beginning

    def has_consumed(self, message_id: str) -> bool:
        """Whether a committed turn consumed the message."""
        return message_id in self._consumed

    @property
    def consumed(self) -> frozenset[str]:
        """Ids of the messages that committed turns consumed."""
        return frozenset(self._consumed)

    def has_trigger(self, message_id: str) -> bool:
        """Whether a committed turn names the message as its trigger."""
        return any(turn.trigger_id == message_id for turn in self._turns)

    def has_open_trigger(self, message_id: str) -> bool:
        """Whether a committed turn names the message as its trigger, and none has closed it since."""
        return bool(self._turns_under(message_id))

    def has_closed(self, message_id: str) -> bool:
        """Whether the last committed turn that names the message as its trigger closed it."""
        return self.has_trigger(message_id) and not self.has_open_trigger(message_id)

    def _turns_under(self, trigger_id: str) -> list[Turn]:
        """The turns that name this trigger, after the last that closed it: what those before owed was sent."""
        turns = [turn for turn in self._turns if turn.trigger_id == trigger_id]
        closed = max((place for place, turn in enumerate(turns, start=1) if turn.closes_trigger), default=0)
        return turns[closed:]

    def judge(self, message: Message) -> Input | Verdict:
        """The input a message becomes, or why it becomes none."""
        if message.id in self._consumed:
            return Verdict.KNOWN
        ours = message.execution_id in (None, self.execution.execution_id) or self._is_of_our_parent(message)
        if isinstance(self.ended, events.ContinuedAsNew) and message.execution_id != self.execution.execution_id:
            return Verdict.EARLY  # for the execution that is about to follow
        if self.ended is not None or not ours:
            return Verdict.OVER
        return self._input_of(message)

    def owed_under(self, trigger_id: str) -> tuple[Owed, ...]:
        """What the turns that name this trigger still owe: everything sent without a recorded outcome (P6).

        And the starts of children and what entities were asked, whatever came of it: what was handed over here has
        nothing else that comes back, and turns under it, also those after its answer, may not have sent all that they
        had decided (S4). No timers of an execution that is over: nobody waits for them.
        """
        return tuple(
            owed for turn in self._turns_under(trigger_id) for owed in self.owed_by(turn) if self._is_due(owed)
        )

    def _is_due(self, owed: Owed) -> bool:
        match owed.message.body:
            case messages.StartExecution():
                return True
            case messages.RunOperation() | messages.RequestLock():
                return owed.task_id not in self._given_over
            case messages.FireTimer() if self.ended is not None:
                return False
            case _:
                return owed.task_id not in self._answered

    def owed_of(self, turns: Iterable[Turn]) -> tuple[Owed, ...]:
        """What these recorded turns still owe."""
        return tuple(owed for turn in turns for owed in self.owed_by(turn) if owed.task_id not in self._answered)

    def owed_by(self, turn: Turn) -> tuple[Owed, ...]:
        """All that a recorded turn sends (P4), without the activities that were cancelled."""
        owed = self._owed_by(turn) if self._order.is_trivial else self._order.apply(self._owed_by(turn))
        if not self._cancelled:
            return tuple(owed)
        return tuple(entry for entry in owed if entry.task_id not in self._cancelled)

    def answer_to(self, caller: Caller) -> tuple[Owed, ...]:
        """What an entity has answered to a call; nothing when it has not yet."""
        for turn in reversed(self._turns):
            for position, event in enumerate(turn.events):
                if answered_caller(event) == caller:
                    wanted = message_id(self.execution, turn.number, position)
                    return tuple(owed for owed in self.owed_by(turn) if owed.message.id == wanted)
        return ()

    def _owed_by(self, turn: Turn) -> Iterable[Owed]:
        if self.started is None:
            return ()
        return owed_by(turn, self.started, (question for _, _, question in self._open.values()), self._locks)

    def withdrawn_by(self, turn: Turn) -> tuple[str, ...]:
        """Ids of the work items that a recorded turn withdraws: of the activities which turns before it scheduled, and
        which its code cancelled, or which were open when it was terminated."""
        return tuple(self._withdrawn.get(turn.number, ()))

    def withdrawn_under(self, trigger_id: str) -> tuple[str, ...]:
        """Ids of the work items that the turns which name this trigger withdraw (P6)."""
        if not self._withdrawn:
            return ()
        return tuple(item for turn in self._turns_under(trigger_id) for item in self.withdrawn_by(turn))

    def outstanding(self) -> tuple[tuple[Turn, Owed], ...]:
        """What has no outcome yet, in the order it was decided: the turn that decided it and what that turn sends.

        Activities, timers (also those the code cancelled: only the code knows), children that are waited for, calls and
        locks of entities. Nothing once the execution has ended.
        """
        started = self.started
        if self.ended is not None or started is None:
            return ()
        entries = [
            (turn, self._order.place(asked(turn, position, started, entry)))
            for turn, position, entry in self._open.values()
            if not (isinstance(entry, events.LockAsked) and self._locks[entry.id].left)
        ]
        return tuple((turn, owed) for turn, owed in entries if owed.task_id is not None)

    def give_over(self) -> None:
        """A rewind has asked anew for what has no outcome here: nobody waits for these answers any more."""
        self._answered.update(self._open)
        self._given_over.update(self._open)
        self._open.clear()

    @property
    def recorded(self) -> tuple[Turn, ...]:
        """The turns of this execution so far."""
        return tuple(self._turns)

    @property
    def last_turn(self) -> Turn | None:
        return self._turns[-1] if self._turns else None

    def _enter(self, turn: Turn, position: int, event: events.Event) -> None:
        match event:
            case (
                events.TaskCompleted()
                | events.TaskFailed()
                | events.ChildCompleted()
                | events.ChildFailed()
                | events.TimerFired()
                | events.OperationCompleted()
                | events.OperationFailed()
                | events.LockAcquired()
            ):
                self._open.pop(event.task_id, None)
                self._answered.add(event.task_id)
            case ExecutionStarted() | events.ParentRewound():
                self.started = with_parent(self.started, event)
            case events.TaskScheduled() | events.TimerCreated() | events.ChildScheduled() | events.EntityCalled():
                self._open[event.id] = (turn, position, event)
            case events.LockAsked():
                self._open[event.id] = (turn, position, event)
                self._locks[event.id] = LockUse(event)
            case events.LockLeft():
                self._locks[event.task_id].left = True
            case events.TaskCancelled():
                self._withdraw(turn, event.task_id)
            case (
                events.ExecutionTerminated()
                | events.ExecutionCompleted()
                | events.ExecutionFailed()
                | events.ContinuedAsNew()
                | events.EntityRemoved()
            ):
                self._end(turn, event)
            case _:  # nobody waits for these
                pass

    def _end(self, turn: Turn, event: Terminal) -> None:
        self.ended = event
        if isinstance(event, events.ExecutionTerminated):
            for task_id in [key for key, entry in self._open.items() if isinstance(entry[2], events.TaskScheduled)]:
                self._withdraw(turn, task_id)

    def _withdraw(self, turn: Turn, task_id: int) -> None:
        """Nobody waits for an activity any more."""
        self._answered.add(task_id)
        entry = self._open.pop(task_id, None)
        if entry is None:
            return
        self._cancelled.add(task_id)
        scheduled, position, _ = entry
        if scheduled.number != turn.number:  # else it is never sent
            item = message_id(self.execution, scheduled.number, position)
            self._withdrawn.setdefault(turn.number, []).append(item)

    def _input_of(self, message: Message) -> Input | Verdict:
        if (type(message.body) in _FOR_ENTITY) != self._is_entity and not isinstance(message.body, messages.Terminate):
            return Verdict.OVER
        if isinstance(message.body, Answer):
            return self._answer_of(message.body)
        match message.body:
            case messages.RaiseEvent() as body:
                return events.EventRaised(name=body.name, input=body.input)
            case messages.Terminate() as body:
                if body.by_parent and not self._is_child_of(body.by_parent):
                    # Whose child it is shows once its start is recorded; else an instance was meant that had this id.
                    return Verdict.EARLY if self.started is None else Verdict.OVER
                return events.ExecutionTerminated(reason=body.reason, recursive=body.recursive, output=body.output)
            case messages.Suspend() | messages.Resume() as body:
                # Resume also when it is not suspended: the suspension may be in the same batch.
                kind = events.ExecutionSuspended if isinstance(body, messages.Suspend) else events.ExecutionResumed
                return kind(reason=body.reason)
            case messages.StartExecution() as body:
                return started(body, message.trace) if not self.turns else self._asked_again(message, body)
            case messages.RunActivity():
                return Verdict.OVER
            case (
                messages.RunOperation()
                | messages.RequestLock()
                | messages.ReleaseLock()
                | messages.RemoveEntity() as body
            ):
                return asked_of_entity(body, message.trace)
            case _:
                assert_never(message.body)

    def _asked_again(self, message: Message, body: messages.StartExecution) -> Input | Verdict:
        if body.parent is None or not self._is_of_our_parent(message):
            return Verdict.KNOWN
        return events.ParentRewound(parent=body.parent)

    def _is_of_our_parent(self, message: Message) -> bool:
        """Whether a rewound parent asks again for this child, which goes on."""
        parent = None if self.started is None else self.started.parent
        body = message.body
        return (
            isinstance(body, messages.StartExecution)
            and body.rewinds is not None
            and body.execution.execution_id != self.execution.execution_id
            and is_child(parent, body)
        )

    def _is_child_of(self, execution_id: str) -> bool:
        parent = None if self.started is None else self.started.parent
        return parent is not None and parent.execution_id == execution_id

    def _answer_of(self, body: Answer) -> Input | Verdict:
        if body.task_id in self._answered:
            return Verdict.KNOWN
        if body.task_id not in self._open:
            return Verdict.EARLY
        if not isinstance(self._open[body.task_id][2], _ASKED_AS[type(body)]):
            return Verdict.OVER
        return answer(body)


_ASKED_AS: dict[type[messages.Body], type[Question]] = {
    messages.FinishTask: events.TaskScheduled,
    messages.FinishChild: events.ChildScheduled,
    messages.FireTimer: events.TimerCreated,
    messages.FinishOperation: events.EntityCalled,
    messages.GrantLock: events.LockAsked,
}
_FOR_ENTITY = frozenset({messages.RunOperation, messages.RequestLock, messages.ReleaseLock, messages.RemoveEntity})
# Decisions that send something whose order counts.
_SENT = frozenset({events.EntityCalled, events.EntitySignaled, events.LockAsked})
