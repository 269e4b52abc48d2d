"""Time that passes only when nothing else is to be done."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

T = TypeVar("T")

START = datetime(2030, 1, 1, tzinfo=UTC)


class _Selector(selectors.DefaultSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(0)
        if not ready and timeout is None:
            raise AssertionError("everything waits for ever")
        if not ready and timeout:
            self.now += timeout
        return ready


class _Loop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self._virtual = _Selector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now


def now() -> datetime:
    """The virtual time, as a worker's clock."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


def run(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on virtual time."""
    with asyncio.Runner(loop_factory=_Loop) as runner:
        return runner.run(test())


async def until(condition: Callable[[], bool], seconds: float = 600) -> None:
    """Let time pass until the condition holds. Fails when it does not within `seconds`."""
    loop = asyncio.get_running_loop()
    end = loop.time() + seconds
    while not condition():
        assert loop.time() < end, "it never happened"
        await pass_time(0.01)


async def pass_time(seconds: float) -> None:
    """Let virtual time pass."""
    passed = asyncio.Event()
    asyncio.get_running_loop().call_later(seconds, passed.set)
    await passed.wait()
