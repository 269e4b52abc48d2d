"""Orders of the sample app: sent over HTTP again and again until each is done, and looked at in storage at the end."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from durable_ext.functions.settings import read_settings
from durable_ext.functions.storage import open_store
from durable_ext.records.events import ExecutionCompleted, TaskCompleted, TaskFailed, TaskScheduled
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.turns import Turn
from durable_ext.replay.fold import project

from .hosts import Host, post, status_of, until

ORDER = {"number": "1", "lines": [{"article": "book", "quantity": 1, "price": "12.50"}]}
APPROVAL = {"approved": True, "by": "me"}


class Customer:
    """Starts every order and approves it once it waits, while the host comes and goes."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._left: dict[str, bool] = {}  # whether it was started
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def order(self, orders: Sequence[str]) -> None:
        """Some more orders."""
        self._left |= dict.fromkeys(orders, False)

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(30)

    def wait_until_accepted(self) -> None:
        until(lambda: all(list(self._left.values())), 30, "every order is accepted")

    def wait_until_done(self, seconds: float) -> None:
        """Wait until no order is left, at most so long; what is left has something wrong in storage."""
        end = time.monotonic() + seconds
        while self._left and time.monotonic() < end:
            self._stopped.wait(0.01)

    def _run(self) -> None:
        while not self._stopped.wait(0.005):
            for order in list(self._left):
                self._look_after(order)

    def _look_after(self, order: str) -> None:
        if not self._left[order]:
            answer = post(f"{self._host.api}/orchestrators/order_approval/{order}", ORDER)
            if answer in (202, 409):  # 409: an earlier attempt came through, its answer did not
                self._left[order] = True
            return
        status = status_of(self._host, order)
        if status.get("runtimeStatus") in ("Completed", "Failed"):
            del self._left[order]
        elif status.get("customStatus") == "waiting for approval":
            post(f"{self._host.api}/instances/{order}/raiseEvent/approval", APPROVAL)


def faults(orders: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    """What is wrong with the orders in storage."""
    return asyncio.run(_faults(orders, environ))


async def _faults(orders: Sequence[str], environ: Mapping[str, str]) -> list[str]:
    store = open_store(read_settings(environ), {**os.environ, **environ})
    try:
        await store.create_hub()
        wrong: list[str] = []
        for order in orders:
            stored = await store.read_row(order)
            turns = await store.history(order)
            wrong += [f"{order}: {text}" for text in _wrong(stored.row if stored else None, turns)]
        wrong += [f"quarantined: {message.reason}" for message in await store.list_quarantined()]
        return wrong
    finally:
        await store.close()


def _wrong(row: InstanceRow | None, turns: Sequence[Turn]) -> list[str]:
    if row is None:
        return ["has no row"]
    events = [event for turn in turns for event in turn.events]
    scheduled = {event.id for event in events if isinstance(event, TaskScheduled)}
    outcomes = Counter(event.task_id for event in events if isinstance(event, TaskCompleted | TaskFailed))
    wrong: list[str] = []
    if [turn.number for turn in turns] != list(range(len(turns))):
        wrong.append("its turns are not numbered through")
    if outcomes != Counter(scheduled):
        wrong.append(f"it scheduled {sorted(scheduled)} and has the outcomes {dict(outcomes)}")
    if [type(event) for event in events].count(ExecutionCompleted) != 1 or row.status is not RuntimeStatus.COMPLETED:
        wrong.append(f"it did not complete: {row.status.value} at turn {row.turn} since {row.updated_at}")
    elif b'"shipped":true' not in bytes(row.output.json if row.output else b""):
        wrong.append("it was not shipped")
    if project(None, turns) != row:
        wrong.append("its row differs from its history")
    return wrong
