"""A storage client that can fail at any call: before its effect, or after it with the answer lost (T3, P13)."""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from durable_ext.providers.azure_storage.client import StorageClient
from durable_ext.testing.faults import Fault, InjectedFaultError, Plan

_NOT_CALLS = frozenset({"close", "url_of"})
_POLL = "get_messages"


class FaultyStorageClient(StorageClient):
    """Hands every call to `inner` unless the plan has a fault for it.

    `BEFORE` is what a client gives up with when storage throttles (503) or cannot be reached. `AFTER` takes effect and
    then fails; with `repeats` the call is made again at once instead, as the lean client does when an answer is lost,
    and the repeat is what answers. `calls` are the calls so far, `idle` the numbers of polls that brought nothing.
    After `cut()` every call fails: the process that used this client is dead to storage. From `stall()` to `resume()`
    calls wait before their effect: the process sleeps while others go on.
    """

    def __init__(
        self, inner: StorageClient, plan: Plan = lambda _call, _number: Fault.NONE, *, repeats: bool = False
    ) -> None:
        self.inner = inner
        self.calls: list[str] = []
        self.idle: set[int] = set()
        self.is_cut = False
        self._plan = plan
        self._repeats = repeats
        self._going = asyncio.Event()
        self._going.set()

    def cut(self) -> None:
        """Fail every call from now on."""
        self.is_cut = True

    def stall(self) -> None:
        """Let calls wait, the one that the plan is being asked about too."""
        self._going.clear()

    def resume(self) -> None:
        """Let them go on."""
        self._going.set()

    async def close(self) -> None:
        """Close the inner client."""
        await self.inner.close()

    def url_of(self, container: str, name: str) -> str:
        return self.inner.url_of(container, name)

    async def _call(self, call: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        self._check(call)
        number = len(self.calls)
        self.calls.append(call)
        fault = self._plan(call, number)
        if fault is Fault.BEFORE:
            raise InjectedFaultError(f"{call}: call {number} failed before its effect, last with 503 ServerBusy")
        if not self._going.is_set():
            await self._going.wait()
            self._check(call)
        result = await getattr(self.inner, call)(*args, **options)
        if call == _POLL and not result:
            self.idle.add(number)
        if fault is Fault.AFTER:
            if not self._repeats:
                raise InjectedFaultError(f"{call}: the answer of call {number} was lost")
            return await getattr(self.inner, call)(*args, **options)
        return result

    def _check(self, call: str) -> None:
        if self.is_cut:
            raise InjectedFaultError(f"{call}: storage is cut off")


def _forwarding(call: str) -> Callable[..., Awaitable[Any]]:
    async def forward(self: FaultyStorageClient, *args: Any, **options: Any) -> Any:
        return await self._call(call, args, options)  # pyright: ignore[reportPrivateUsage]

    return forward


for _name in StorageClient.__abstractmethods__ - _NOT_CALLS:
    setattr(FaultyStorageClient, _name, _forwarding(_name))
abc.update_abstractmethods(FaultyStorageClient)
