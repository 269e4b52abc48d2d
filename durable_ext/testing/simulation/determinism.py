"""What would differ from run to run is the same here: ids, the time activities took, threads, and the order of sets."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
import zlib
from collections.abc import Callable, Coroutine, Generator
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar

from durable_ext.testing.virtual_time import VirtualClock, VirtualTimeLoop
from durable_ext.worker import activities
from durable_ext.worker.heartbeat import Held
from durable_ext.worker.items import Item

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


def _place_in_a_set(item: Item) -> int:
    return zlib.crc32(item.message.id.encode())


def _place_of_held(held: Held) -> int:
    return zlib.crc32(" ".join(message.id for message in held.messages).encode())


@contextlib.contextmanager
def the_same_each_time(seed: int, loop: VirtualTimeLoop) -> Generator[None]:
    """Ids from the seed, durations from virtual time, and sets of items in an order that no address decides."""
    ids = Random(f"{seed}/ids")  # noqa: S311 - has to be the same in each run
    uuid4, clock, places = uuid.uuid4, activities.time, (Item.__hash__, Held.__hash__)
    uuid.uuid4 = lambda: uuid.UUID(int=ids.getrandbits(128), version=4)
    setattr(activities, "time", SimpleNamespace(monotonic=loop.time))  # noqa: B010 - as above
    setattr(Item, "__hash__", _place_in_a_set)  # noqa: B010 - a type checker would compare parameter names
    setattr(Held, "__hash__", _place_of_held)  # noqa: B010 - as above
    try:
        yield
    finally:
        uuid.uuid4 = uuid4
        activities.time = clock
        Item.__hash__, Held.__hash__ = places


def run(seed: int, main: Callable[[VirtualClock], Coroutine[Any, Any, T]]) -> T:
    """Run `main(clock)` on virtual time, the same each time."""
    with asyncio.Runner(loop_factory=SimulationLoop) as runner:
        loop = runner.get_loop()
        if not isinstance(loop, SimulationLoop):
            raise TypeError("the runner did not use the loop it was given")
        with the_same_each_time(seed, loop):
            return runner.run(main(VirtualClock(loop)))
