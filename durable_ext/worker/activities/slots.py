"""Room for activities: one slot each, and narrower gates for those that only a few may pass at once.

Who waits at a gate takes no slot, so that an activity of which few may run does not hold up the others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

from durable_ext.authoring.registry import ActivityDefinition, Registry
from durable_ext.records.messages import Message


class Gate:
    """So many may be inside at once, and `most_waiting` before it. `here` counts both."""

    def __init__(self, size: int, most_waiting: int) -> None:
        self.size = size
        self.most_waiting = most_waiting
        self.here = 0
        self._inside = asyncio.Semaphore(size)

    @property
    def is_full(self) -> bool:
        """Whether the next one would have to wait."""
        return self.here >= self.size

    @property
    def is_crowded(self) -> bool:
        """Whether enough are waiting."""
        return self.here >= self.size + self.most_waiting

    async def enter(self) -> None:
        """Wait to be let in."""
        self.here += 1
        try:
            await self._inside.acquire()
        except BaseException:
            self.here -= 1
            raise

    def leave(self) -> None:
        """Let the next one in."""
        self.here -= 1
        self._inside.release()

    def expect(self) -> None:
        """Count somebody who enters in a task that was not begun yet: until the loop comes to it."""
        self.here += 1
        asyncio.get_running_loop().call_soon(self._arrived)

    def _arrived(self) -> None:
        self.here -= 1


class Gates:
    """The gates of this process, by activity. Before each wait at most as many as there are slots."""

    def __init__(self, registry: Registry, processes: int, slots: int) -> None:
        self._registry = registry
        self._slots = slots
        self._processes = Gate(processes, slots)
        self._of: dict[str, Sequence[Gate]] = {}

    def of(self, name: str) -> Sequence[Gate]:
        """The gates an activity passes, in order; most have none."""
        found = self._of.get(name)
        if found is None:
            definition = self._registry.activities.get(name)
            if definition is None:
                return ()
            found = self._of[name] = self._make(definition)
        return found

    def _make(self, definition: ActivityDefinition) -> Sequence[Gate]:
        own = () if definition.max_concurrent is None else (Gate(definition.max_concurrent, self._slots),)
        return (*own, self._processes) if definition.in_process else own


class Slot:
    """One activity slot, from when it is free until all that runs in it has ended; `left` follows that.

    `coming` precedes the wait for a slot, once the gates are passed.
    """

    def __init__(
        self, slots: asyncio.Semaphore, gates: Sequence[Gate], coming: Callable[[], None], left: Callable[[], None]
    ) -> None:
        self._slots = slots
        self._gates = gates
        self._coming = coming
        self._left = left
        self._passed: list[Gate] = []
        self._has_come = False
        self._holders = 1
        self.message: Message | None = None  # what runs in it

    @property
    def is_taken(self) -> bool:
        """Whether something is still in the slot, or waits for it."""
        return self._holders > 0

    async def __aenter__(self) -> Slot:
        try:
            for gate in self._gates:
                await gate.enter()
                self._passed.append(gate)
            self._has_come = True
            self._coming()
            await self._slots.acquire()
        except BaseException:
            self._holders = 0
            self._leave()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        self._let_go()

    def hold(self, work: asyncio.Future[Any]) -> None:
        """Keep the slot until this work has ended too."""
        self._holders += 1
        work.add_done_callback(self._let_go)

    def _let_go(self, _: object = None) -> None:
        self._holders -= 1
        if self._holders == 0:
            self._slots.release()
            self._leave()

    def _leave(self) -> None:
        for gate in self._passed:
            gate.leave()
        if self._has_come:
            self._left()
