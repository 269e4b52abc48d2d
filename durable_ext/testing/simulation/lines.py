"""The line between one process and storage: where calls fail, take long, are made again, or are the last of a process.

Kinds of faults: `refused` (no effect), `lost` (effect, no answer), `repeated` (the answer is lost and the client makes
the call again), `straggling` (no answer, and the effect comes seconds later), `delayed`, `short` (what is received is
leased for seconds only, so that others get it as well), `hidden` (what is put is to be seen seconds later),
`dies_before` and `dies_after` (the process is killed there). See docs/simulation.md for how to add one.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage.client import StorageClient
from durable_ext.providers.contract import Provider
from durable_ext.testing.faults import InjectedFaultError
from durable_ext.testing.simulation.case import CallFault
from durable_ext.testing.simulation.ledger import Trace
from durable_ext.testing.simulation.programme import pause
from durable_ext.testing.simulation.weather import PUTS, RECEIVES, Weather

_NOT_CALLS = frozenset({"close", "url_of"})


class Line:
    """The line of one process. `die` is called where a fault kills it; after `cut` every call fails."""

    def __init__(self, name: str, weather: Weather, trace: Trace) -> None:
        self.name = name
        self.calls = 0
        self.is_cut = False
        self.die: Callable[[], None] = lambda: None
        self._weather = weather
        self._trace = trace
        self._noise = Random(f"{weather.seed}/{name}")  # noqa: S311 - has to be the same in each run
        self._going = asyncio.Event()
        self._going.set()
        self._stalls = 0
        self._stragglers: set[asyncio.Task[None]] = set()

    @property
    def is_stalled(self) -> bool:
        """Whether calls wait."""
        return not self._going.is_set()

    def cut(self) -> None:
        """The process is dead to storage: every call fails from now on."""
        self.is_cut = True
        self._going.set()

    def stall(self) -> None:
        """The process sleeps: calls wait before their effect."""
        self._stalls += 1
        self._going.clear()

    def resume(self) -> None:
        """It goes on, unless it sleeps for something else too."""
        self._stalls -= 1
        if self._stalls < 1:
            self._going.set()

    async def call(self, name: str, effect: Callable[..., Awaitable[Any]], args: tuple[Any, ...]) -> Any:
        """Make a call, with whatever happens to it. Raises InjectedFaultError."""
        self._check(name)
        number, self.calls = self.calls, self.calls + 1
        fault = self._weather.fault(self.name, number, name)
        latency = self._weather.latency(self._noise)
        kind = "" if fault is None else fault.kind
        self._trace.note(self.name, number, name, kind)
        if latency:
            await pause(latency)
        if fault is not None:
            args = await self._before(name, fault, effect, args)
        if not self._going.is_set():
            await self._going.wait()
        self._check(name)
        result = await effect(*args)
        if kind == "repeated":
            return await effect(*args)
        if kind == "lost":
            raise InjectedFaultError(f"{name}: the answer of call {number} was lost")
        if kind == "dies_after":
            self.die()
            self._check(name)
        return result

    async def _before(
        self, name: str, fault: CallFault, effect: Callable[..., Awaitable[Any]], args: tuple[Any, ...]
    ) -> tuple[Any, ...]:
        match fault.kind:
            case "refused" | "throttled":
                raise InjectedFaultError(
                    f"{name}: call {fault.call} failed before its effect, last with 503 ServerBusy"
                )
            case "straggling":
                self._straggle(effect, args, fault.seconds)
                raise InjectedFaultError(f"{name}: call {fault.call} was given up")
            case "delayed":
                await pause(fault.seconds)
            case "dies_before":
                self.die()
            case "short" if name in RECEIVES:
                return (*args[:2], max(1, int(fault.seconds)))
            case "hidden" if name in PUTS:
                return (*args[:2], (args[2] if len(args) > 2 else 0) + int(fault.seconds))
            case _:
                pass
        return args

    def _straggle(self, effect: Callable[..., Awaitable[Any]], args: tuple[Any, ...], seconds: float) -> None:
        async def late() -> None:
            await pause(seconds)
            try:
                await effect(*args)
            except StorageError:
                return  # nobody listens any more

        task = asyncio.create_task(late())
        self._stragglers.add(task)
        task.add_done_callback(self._stragglers.discard)

    def _check(self, name: str) -> None:
        if self.is_cut:
            raise InjectedFaultError(f"{name}: storage is cut off")


class StorageLine(StorageClient):
    """A storage client whose calls go over a line."""

    def __init__(self, inner: StorageClient, line: Line) -> None:
        self.inner = inner
        self.line = line

    async def close(self) -> None:
        """The account stays open for others."""

    def url_of(self, container: str, name: str) -> str:
        return self.inner.url_of(container, name)


class ProviderLine(Provider):
    """A provider whose verbs go over a line."""

    def __init__(self, inner: Provider, line: Line) -> None:
        self.inner = inner
        self.line = line
        self.inline_limit = inner.inline_limit
        self.partitions = inner.partitions

    async def close(self) -> None:
        """The store stays open for others."""


def _forwarding(call: str) -> Callable[..., Awaitable[Any]]:
    async def forward(self: StorageLine | ProviderLine, *args: Any, **options: Any) -> Any:
        effect = getattr(self.inner, call)
        if options:

            async def with_options(*args: Any) -> Any:
                return await getattr(self.inner, call)(*args, **options)

            effect = with_options
        return await self.line.call(call, effect, args)

    return forward


for _kind, _base in ((StorageLine, StorageClient), (ProviderLine, Provider)):
    for _name in _base.__abstractmethods__ - _NOT_CALLS:
        setattr(_kind, _name, _forwarding(_name))
    abc.update_abstractmethods(_kind)
