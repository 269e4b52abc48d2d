"""The loop of a simulation: virtual time without threads, so that nothing outside decides the order of things."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from durable_ext.testing.virtual_time import VirtualTimeLoop

T = TypeVar("T")


class SimulationLoop(VirtualTimeLoop):
    """A virtual loop whose threads are turns of the loop: what a thread does is over at once, a little later."""

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """Run it here."""
        future: asyncio.Future[T] = self.create_future()

        def run() -> None:
            if not future.done():
                future.set_result(func(*args))

        self.call_later(0.01, run)
        return future
