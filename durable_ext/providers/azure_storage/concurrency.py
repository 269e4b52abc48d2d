"""Many like calls, a bounded number of them at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_AT_ONCE = 16


async def each(items: Iterable[Item], call: Callable[[Item], Awaitable[Result]]) -> list[Result]:
    """The results of `call` in the order of the items. The first failure is raised and stops the rest."""
    todo = list(enumerate(items))
    results: dict[int, Result] = {}
    waiting = iter(todo)

    async def work() -> None:
        for number, item in waiting:
            results[number] = await call(item)

    tasks = [asyncio.create_task(work()) for _ in range(min(_AT_ONCE, len(todo)))]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
    return [results[number] for number, _ in todo]
