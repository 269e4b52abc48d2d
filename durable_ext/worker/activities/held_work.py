"""Work a session holds: activities and short timers run here, messages under way. The trigger waits for it (P5)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from contextlib import nullcontext
from typing import Any

from durable_ext.records.messages import FinishTask, FireTimer, Message, RunActivity
from durable_ext.worker.services import Services

_NOTHING = nullcontext()


class HeldWork:
    """The tasks of one session. `report` takes the result of local work, `fail` an error, `wake` follows any end."""

    def __init__(
        self,
        services: Services,
        report: Callable[[Message, FinishTask | FireTimer], None],
        fail: Callable[[BaseException], None],
        wake: Callable[[], None],
    ) -> None:
        self._services = services
        self._report = report
        self._fail = fail
        self._wake = wake
        self._local: dict[asyncio.Task[None], Message] = {}
        self._sends: set[asyncio.Task[None]] = set()
        self._stopped: set[str] = set()  # work items nobody waits for any more

    def __bool__(self) -> bool:
        return bool(self._local or self._sends)

    @property
    def runs_here(self) -> bool:
        """Whether activities or timers run here."""
        return bool(self._local)

    def holds(self, message_id: str) -> bool:
        """Whether the activity or timer of a message runs here."""
        return any(message.id == message_id for message in self._local.values())

    def run_activity(self, message: Message, body: RunActivity) -> None:
        """Run an activity in this process (S3)."""
        self._start(message, self._activity(message, body))

    def run_timer(self, message: Message, body: FireTimer) -> None:
        """Wait for a short timer in this process."""
        self._start(message, self._timer(message, body))

    def send(self, work: Coroutine[Any, Any, None], done: Callable[[], None] = lambda: None) -> None:
        """Have something sent; `done` follows its success."""
        task = asyncio.create_task(work)
        self._sends.add(task)
        task.add_done_callback(lambda task: self._sent(task, done))

    def take_back(self) -> tuple[Message, ...]:
        """Stop local work and return its messages, for the queue to carry (S5)."""
        messages = tuple(self._local.values())
        for task in self._local:
            task.cancel()
        self._local.clear()
        return messages

    def stop(self, work_items: Sequence[str]) -> list[str]:
        """Stop these activities where they run here; return the ids of those that do not."""
        rest = dict.fromkeys(work_items)
        for task, message in list(self._local.items()):
            if message.id in rest:
                self._stopped.add(message.id)
                task.cancel()
                del self._local[task], rest[message.id]
        return list(rest)

    def forget_timers(self) -> None:
        """The execution is over: nobody waits for its timers. Activities go on, as they were asked for (P4)."""
        for task, message in list(self._local.items()):
            if isinstance(message.body, FireTimer):
                task.cancel()
                del self._local[task]

    def abandon(self) -> None:
        """Stop everything quietly: the trigger comes back and repairs (P6)."""
        self.take_back()
        for task in list(self._sends):
            task.cancel()

    def _start(self, message: Message, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._local[task] = message
        task.add_done_callback(self._finished)

    async def _activity(self, message: Message, body: RunActivity) -> None:
        try:
            with self._services.affinities.using(body.session_id) if body.session_id else _NOTHING:
                outcome = await self._services.activities.run(message, body)
        except asyncio.CancelledError:
            if message.id in self._stopped:
                await self._services.activities.forget(message, body)
            raise
        self._report(message, outcome)

    async def _timer(self, message: Message, body: FireTimer) -> None:
        await asyncio.sleep((body.fire_at - self._services.clock()).total_seconds())
        self._report(message, body)

    def _finished(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._fail(error)
        self._local.pop(task, None)
        self._wake()

    def _sent(self, task: asyncio.Task[None], done: Callable[[], None]) -> None:
        self._sends.discard(task)
        if not task.cancelled():
            error = task.exception()
            if error is None:
                done()
            else:
                self._fail(error)
        self._wake()
