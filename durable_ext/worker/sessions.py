"""The sessions of this process: open ones, and instances kept in memory after theirs (S1, S2)."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from datetime import datetime, timedelta

from durable_ext.worker.items import Item
from durable_ext.worker.services import Services
from durable_ext.worker.session import Session
from durable_ext.worker.state import SessionState

# So many open sessions are enough for one process: further children go where there is room (S4).
_MOST_OPEN_CHILDREN = 100
# What is kept in memory must be younger than any tombstone, else it could write after a purge (P10).
_LONGEST_KEPT = timedelta(hours=1)
# For so long after its last turn here, another process is taken not to have ended an instance.
_JUST_NOW = timedelta(minutes=1)


class Sessions:
    """Opens a session for each instance a message arrives for, or lets the message join the open one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._open: dict[str, tuple[Session, asyncio.Task[None]]] = {}
        self._kept: OrderedDict[str, tuple[datetime, SessionState]] = OrderedDict()
        self._draining = False

    @property
    def open_count(self) -> int:
        """How many sessions are open."""
        return len(self._open)

    @property
    def open_instances(self) -> frozenset[str]:
        """The instances whose sessions are open."""
        return frozenset(self._open)

    @property
    def kept_count(self) -> int:
        """How many instances are kept in memory after their session."""
        return len(self._kept)

    def lives_here(self, instance_id: str) -> bool:
        """Whether the instance has a session, or is kept in memory, here."""
        return instance_id in self._open or instance_id in self._kept

    def is_at_work(self, instance_id: str) -> bool:
        """Whether the instance runs here, or has taken a turn here a moment ago and goes on: nobody need look it up."""
        entry = self._open.get(instance_id)
        if entry is not None:
            state = entry[0].state
            return state is not None and state.ledger.turns > 0 and state.ledger.ended is None
        kept = self._kept.get(instance_id)
        return kept is not None and self._services.clock() - kept[0] < _JUST_NOW

    def has_room(self) -> bool:
        """Whether one more child may be opened here."""
        return len(self._open) < _MOST_OPEN_CHILDREN and not self._draining

    def offer(self, item: Item) -> None:
        """Hand a message to its instance's session (S1)."""
        instance_id = item.message.instance_id
        entry = self._open.get(instance_id)
        if entry is None:
            session = Session(instance_id, self._services, self)
            session.state = self._take_kept(instance_id)
            if self._draining:
                session.wind_down()
            session.offer(item)
            self._open[instance_id] = session, asyncio.create_task(self._run(session))
        else:
            entry[0].offer(item)

    def lose(self, item: Item) -> None:
        """The lease of a delivery is lost; tell the session it belongs to (S6)."""
        entry = self._open.get(item.message.instance_id)
        if entry is not None:
            entry[0].lose(item)

    async def drain(self, grace: timedelta) -> None:
        """Give sessions time to come to rest, then have them give what they hold to the queues (S5)."""
        self._draining = True
        tasks = [task for _, task in self._open.values()]
        if tasks:
            await asyncio.wait(tasks, timeout=grace.total_seconds())
        rest = list(self._open.values())
        for session, _ in rest:
            session.wind_down()
        if rest:
            await asyncio.wait([task for _, task in rest], timeout=grace.total_seconds() + 1)

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            del self._open[session.instance_id]
        if session.state is not None and session.state.ledger.ended is None and self._services.settings.sessions:
            self._keep(session.instance_id, session.state)

    def _keep(self, instance_id: str, state: SessionState) -> None:
        self._kept[instance_id] = self._services.clock(), state
        while len(self._kept) > self._services.settings.cached_instances:
            _, (_, oldest) = self._kept.popitem(last=False)
            oldest.drop()

    def _take_kept(self, instance_id: str) -> SessionState | None:
        kept_at, state = self._kept.pop(instance_id, (self._services.clock(), None))
        if state is not None and self._services.clock() - kept_at > _LONGEST_KEPT:
            state.drop()
            return None
        return state
