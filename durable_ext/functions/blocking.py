"""The client for a function that is no coroutine: its calls wait, in a thread, for the loop to make them."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any, cast

from durable_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from durable_ext.functions.client import DurableClient


class BlockingClient:
    """Has every method of DurableClient, none of which needs `await`; `list` returns a list."""

    def __init__(self, client: DurableClient, loop: asyncio.AbstractEventLoop) -> None:
        self._client = client
        self._loop = loop

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)

        def call(*args: Any, **kwargs: Any) -> Any:
            result = method(*args, **kwargs)
            if inspect.isasyncgen(result):
                result = _collected(cast("AsyncIterator[Any]", result))
            return self._wait(result) if inspect.iscoroutine(result) else result

        return call

    def _wait(self, coroutine: Any) -> Any:
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # no loop in this thread, so it may wait
            return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()
        coroutine.close()
        raise ConfigurationError("a BlockingClient would block the event loop here; use it in a plain function only")


async def _collected(items: AsyncIterator[Any]) -> list[Any]:
    return [item async for item in items]
