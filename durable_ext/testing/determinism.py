"""What would differ from run to run is the same here: ids, the time activities took, the order of sets and threads."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import uuid
import zlib
from collections.abc import Callable, Coroutine, Generator
from random import Random
from types import SimpleNamespace
from typing import Any, TypeVar

from durable_ext.testing.virtual_time import VirtualClock, VirtualTimeLoop
from durable_ext.worker.activities import runner
from durable_ext.worker.heartbeat import Held
from durable_ext.worker.items import Item

T = TypeVar("T")

# Code in a thread is short, or waits for something; no test is to depend on how long this is.
_PATIENCE_SECONDS = 0.1


class OrderedLoop(VirtualTimeLoop):
    """A virtual loop on which threads end in the order in which they began, but for those that take long.

    It stands still until a thread has reported: that it is over, or that it waits for the loop.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reported = threading.Event()

    def run_in_executor(self, executor: Any, func: Callable[..., T], *args: Any) -> asyncio.Future[T]:
        """As any loop does, once the thread has reported."""
        self._reported.clear()
        future = super().run_in_executor(executor, func, *args)
        self._reported.wait(_PATIENCE_SECONDS)
        return future

    def call_soon_threadsafe(self, callback: Callable[..., object], *args: Any, context: Any = None) -> asyncio.Handle:
        """As any loop does."""
        handle = super().call_soon_threadsafe(callback, *args, context=context)
        self._reported.set()
        return handle


def _place_in_a_set(item: Item) -> int:
    return zlib.crc32(item.message.id.encode())


def _place_of_held(held: Held) -> int:
    return zlib.crc32(" ".join(message.id for message in held.messages).encode())


@contextlib.contextmanager
def the_same_each_time(seed: str, loop: VirtualTimeLoop) -> Generator[None]:
    """Ids from the seed, durations from virtual time, and sets of items in an order that no address decides."""
    ids = Random(f"{seed}/ids")  # noqa: S311 - has to be the same in each run
    uuid4, clock, places = uuid.uuid4, runner.time, (Item.__hash__, Held.__hash__)
    uuid.uuid4 = lambda: uuid.UUID(int=ids.getrandbits(128), version=4)
    setattr(runner, "time", SimpleNamespace(monotonic=loop.time))  # noqa: B010 - a type checker would miss the rest of it
    setattr(Item, "__hash__", _place_in_a_set)  # noqa: B010 - a type checker would compare parameter names
    setattr(Held, "__hash__", _place_of_held)  # noqa: B010 - as above
    try:
        yield
    finally:
        uuid.uuid4 = uuid4
        runner.time = clock
        Item.__hash__, Held.__hash__ = places


def run(
    seed: str,
    main: Callable[[VirtualClock], Coroutine[Any, Any, T]],
    loop_type: Callable[[], VirtualTimeLoop] = OrderedLoop,
) -> T:
    """Run `main(clock)` on virtual time, the same each time."""
    loop = loop_type()
    with the_same_each_time(seed, loop), asyncio.Runner(loop_factory=lambda: loop) as runner:
        return runner.run(main(VirtualClock(loop)))
