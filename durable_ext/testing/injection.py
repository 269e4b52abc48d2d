"""Calls that can fail: before their effect, or after it with the answer lost; and processes that sleep (T3, P13).

The gate stands before a provider's verbs or before storage calls; a plan says what happens at which call.
"""

from __future__ import annotations

import abc
import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from enum import Enum, auto
from typing import Any

from durable_ext.errors import DurableError, StorageUnavailableError
from durable_ext.providers.contract import Provider


class Fault(Enum):
    """What happens at a call."""

    NONE = auto()
    BEFORE = auto()  # it fails without effect
    AFTER = auto()  # it takes effect, and its answer is lost
    LATE = auto()  # it takes effect at once, and its answer comes when the process goes on
    STRAGGLING = auto()  # it is given up without an answer, and takes effect much later


class InjectedFaultError(StorageUnavailableError):
    """A fault a test asked for."""


# Asked before each call with its name and its number, from 0.
Plan = Callable[[str, int], Fault]


def no_faults(_call: str, _number: int) -> Fault:
    """The plan without faults."""
    return Fault.NONE


class FaultGate:
    """What every call of one process passes. `calls` are the calls so far.

    `BEFORE` is what a client gives up with when storage throttles (503) or cannot be reached. `AFTER` takes effect and
    then fails; with `repeats` the call is made again at once instead, as a client does when an answer is lost, and the
    repeat is what answers. After `cut()` every call fails: the process is dead to the store. From `stall()` to
    `resume()` calls wait before their effect, but for one that is `LATE`: the process sleeps while others go on. One
    that is `STRAGGLING` takes effect at `come_through()`, when nobody listens any more.
    """

    def __init__(self, plan: Plan = no_faults, *, repeats: bool = False) -> None:
        self.calls: list[str] = []
        self.is_cut = False
        self._plan = plan
        self._repeats = repeats
        self._stragglers: list[Callable[[], Awaitable[Any]]] = []
        self._going = asyncio.Event()
        self._going.set()
        self._last: int | None = None

    @property
    def is_stalled(self) -> bool:
        """Whether calls wait."""
        return not self._going.is_set()

    def cut(self) -> None:
        """Fail every call from now on, but let the one go on that the plan is being asked about."""
        self.is_cut = True

    def stall(self) -> None:
        """Let calls wait, the one that the plan is being asked about too."""
        self._going.clear()

    def resume(self, *, last: int | None = None) -> None:
        """Let them go on; with `last` only the call with that number, and the process is dead after it."""
        if last is not None:
            self._last = last
            self.cut()
        self._going.set()

    async def awake(self) -> None:
        """Wait until the process does not sleep."""
        await self._going.wait()

    async def come_through(self) -> None:
        """Have what was given up take effect, or be refused."""
        stragglers, self._stragglers = self._stragglers, []
        for call in stragglers:
            with suppress(DurableError):
                await call()

    async def let_through(self, name: str, call: Callable[[], Awaitable[Any]]) -> Any:
        """Make the call, or fail as the plan says. Raises InjectedFaultError, and what the call raises."""
        self._check(name)
        number = len(self.calls)
        self.calls.append(name)
        fault = self._plan(name, number)
        if fault is Fault.BEFORE:
            raise InjectedFaultError(f"{name}: call {number} failed before its effect, last with 503 ServerBusy")
        if fault is Fault.STRAGGLING:
            self._stragglers.append(call)
            raise InjectedFaultError(f"{name}: call {number} was given up")
        if fault is not Fault.LATE:
            await self._wait(name, number)
        result = await call()
        if fault is Fault.LATE:
            await self._wait(name, number)
        if fault is Fault.AFTER:
            if not self._repeats:
                raise InjectedFaultError(f"{name}: the answer of call {number} was lost")
            return await call()
        return result

    async def _wait(self, name: str, number: int) -> None:
        if self._going.is_set():
            return
        await self._going.wait()
        if number != self._last:
            self._check(name)

    def _check(self, name: str) -> None:
        if self.is_cut:
            raise InjectedFaultError(f"{name}: storage is cut off")


class FaultyProvider(FaultGate, Provider):
    """Hands every verb to `inner` unless the plan has a fault for the call."""

    def __init__(self, inner: Provider, plan: Plan = no_faults, *, repeats: bool = False) -> None:
        super().__init__(plan, repeats=repeats)
        self.inner = inner
        self.inline_limit = inner.inline_limit
        self.partitions = inner.partitions


def forwarding(call: str) -> Callable[..., Awaitable[Any]]:
    """A method that hands a call of that name to `inner`, through the gate."""

    async def forward(self: Any, *args: Any, **options: Any) -> Any:
        return await self.let_through(call, lambda: getattr(self.inner, call)(*args, **options))

    return forward


for _verb in Provider.__abstractmethods__:
    setattr(FaultyProvider, _verb, forwarding(_verb))
abc.update_abstractmethods(FaultyProvider)
