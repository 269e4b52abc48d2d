"""A batch of messages sorted out: which take part in the turn, and what becomes of the others (P6, P7, P12)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import msgspec

from durable_ext.errors import DurableError
from durable_ext.records.events import EventRaised, ExecutionStarted, Input
from durable_ext.records.messages import (
    FinishChild,
    FinishOperation,
    FinishTask,
    FireTimer,
    GrantLock,
    StartExecution,
    Terminate,
)
from durable_ext.replay.ending import is_ending
from durable_ext.replay.outbox import Owed
from durable_ext.worker.items import Item
from durable_ext.worker.state import SessionState

_ANSWERS = FinishTask | FinishChild | FireTimer | FinishOperation | GrantLock


class Repair(msgspec.Struct, frozen=True):
    """A message consumed before, what the turns under it still owe, and the work items they withdrew.

    `is_open`: turns name it as their trigger and none has closed it, so that somebody may still commit under it.
    """

    item: Item
    owed: tuple[Owed, ...]
    withdrawn: tuple[str, ...]
    is_open: bool = False


class Admitted:
    """A batch sorted out.

    `accepted` items give the `inputs`, in this order (a start also its first event). `repairs` are of items consumed
    before; `guarded` ones owe something too, but a copy is in other hands. `early` items came ahead of their cause,
    `behind` ones ahead of what their sender sent before, `refused` ones are for a worker of another version, `dropped`
    ones are dealt with. `not_before` is the latest time a timer among them was set for; `starts_at` when a pending
    instance will start.
    """

    def __init__(self, state: SessionState | None, inputs: Iterable[Input] = ()) -> None:
        self.state = state
        self.accepted: list[Item] = []
        self.inputs = list(inputs)
        self.repairs: list[Repair] = []
        self.guarded: list[Item] = []
        self.early: list[Item] = []
        self.behind: list[Item] = []
        self.dropped: list[Item] = []
        self.over: list[Item] = []
        self.refusal: DurableError | None = None
        self.refused: list[Item] = []
        self.not_before: datetime | None = None
        self.starts_at: datetime | None = None
        self._answered: set[int] = set()

    @property
    def is_doubtful(self) -> bool:
        """Whether something would be put off, dropped or sent again on the word of this state."""
        return bool(self.early or self.over or self.repairs or self.refused)

    def refuses(self, item: Item) -> bool:
        """Whether the item has to wait for a worker that has the code; to terminate an instance needs none."""
        if self.refusal is None or self.state is None:
            return False
        return self.state.ledger.ended is not None or not isinstance(item.message.body, Terminate)

    def deal_with(self) -> None:
        """Tell the state what needs no turn."""
        if self.state is not None:
            for item in (*self.dropped, *self.over, *(repair.item for repair in self.repairs)):
                self.state.dealt_with(item.message.id)

    @property
    def is_ending(self) -> bool:
        """Whether what was accepted so far terminates the instance."""
        return is_ending(self.inputs)

    def accept(self, item: Item, event: Input) -> None:
        """Let the item take part, unless another of the batch answers the same decision."""
        body = item.message.body
        answers = body.task_id if isinstance(body, _ANSWERS) else None
        if answers in self._answered:
            self.dropped.append(item)
            return
        if answers is not None:
            self._answered.add(answers)
        self.accepted.append(item)
        self.inputs.append(event)
        if isinstance(body, StartExecution) and isinstance(event, ExecutionStarted) and body.first_event is not None:
            self.inputs.append(EventRaised(name=body.first_event.name, input=body.first_event.input))
        if isinstance(body, FireTimer):
            self.not_before = body.fire_at if self.not_before is None else max(self.not_before, body.fire_at)
