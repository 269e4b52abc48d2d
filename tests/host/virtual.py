"""Waiting in virtual time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import datetime, timedelta
from typing import Any, TypeVar

from durable_ext.testing import virtual_time
from durable_ext.testing.virtual_time import START

T = TypeVar("T")


def now() -> datetime:
    """The virtual time, as a worker's clock."""
    return START + timedelta(seconds=asyncio.get_running_loop().time())


def run(test: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function on virtual time."""
    return virtual_time.run(lambda _clock: test())


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
