"""What the simulation itself counts: runs of activities, calls, faults, and the digest of the trace."""

from __future__ import annotations

import hashlib
from collections import Counter
from datetime import datetime
from itertools import takewhile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from durable_ext.authoring.context import ActivityContext
    from durable_ext.providers.contract import Clock

# Instance, execution and task: what a work item answers.
Key = tuple[str, str, int]


class Runs:
    """The runs of activities by the call they answer. `mended`: what activities no longer fail of. `astray`: those that
    ran in a process that does not take their tag."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.begun: Counter[Key] = Counter()
        self.ended: Counter[Key] = Counter()
        self.once: set[Key] = set()
        self.stood_in: set[Key] = set()
        self.last: dict[str, datetime] = {}
        self.mended: set[str] = set()
        self.astray: list[Key] = []
        self._calls: dict[tuple[str, str], dict[str, list[int]]] = {}

    def begin(self, ctx: ActivityContext) -> None:
        """An activity begins."""
        self.begun[_key(ctx)] += 1
        self.last[ctx.instance_id] = self._clock()

    def stray(self, ctx: ActivityContext) -> None:
        """An activity begins in a process that does not take it."""
        self.astray.append(_key(ctx))

    def begin_once(self, ctx: ActivityContext) -> None:
        """An activity begins that may begin once only."""
        self.once.add(_key(ctx))
        self.begin(ctx)

    def stand_in(self, ctx: ActivityContext) -> None:
        """Something runs in the place of a second run; the first may not have come as far as to its code."""
        self.stood_in.add(_key(ctx))

    def end(self, ctx: ActivityContext) -> None:
        """An activity returns."""
        self.ended[_key(ctx)] += 1

    def calls_before(self, ctx: ActivityContext, label: object) -> int:
        """How many calls with this label came before this one; each retry is a call of its own, and so is the call of
        an execution that goes on after a rewind."""
        calls = self._calls.setdefault((ctx.instance_id, str(label)), {})
        own = calls.setdefault(ctx.execution_id, [])
        if ctx.task_id not in own:
            own.append(ctx.task_id)
        before = takewhile(lambda execution: execution != ctx.execution_id, calls)
        return sum(len(calls[execution]) for execution in before) + sorted(own).index(ctx.task_id)


def _key(ctx: ActivityContext) -> Key:
    return ctx.instance_id, ctx.execution_id, ctx.task_id


class Trace:
    """The digest of all that happened, in order; two runs of a case have the same. `lines` are kept when asked for."""

    def __init__(self, clock: Clock, *, keep: bool = False) -> None:
        self._clock = clock
        self._digest = hashlib.blake2b(digest_size=16)
        self._keep = keep
        self._now = clock()
        self._time = self._now.isoformat()
        self.lines: list[str] = []

    def note(self, *parts: object) -> None:
        """One thing happened."""
        now = self._clock()
        if now is not self._now:
            self._now, self._time = now, now.isoformat()
        line = f"{self._time} {' '.join(map(str, parts))}"
        self._digest.update(line.encode())
        if self._keep:
            self.lines.append(line)

    @property
    def digest(self) -> str:
        """Of all so far."""
        return self._digest.hexdigest()
