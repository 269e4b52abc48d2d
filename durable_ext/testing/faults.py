"""A provider that can fail at any call: before its effect, or after it with the answer lost (T3, P13)."""

from __future__ import annotations

import abc
from collections.abc import Awaitable, Callable
from enum import Enum, auto
from typing import Any

from durable_ext.errors import StorageUnavailableError
from durable_ext.providers.contract import Provider


class Fault(Enum):
    """What happens at a call."""

    NONE = auto()
    BEFORE = auto()  # it fails without effect
    AFTER = auto()  # it takes effect, and its answer is lost


class InjectedFaultError(StorageUnavailableError):
    """A fault a test asked for."""


# Asked before each call with the verb's name and the number of the call, from 0.
Plan = Callable[[str, int], Fault]


class FaultyProvider(Provider):
    """Hands every verb to `inner` unless the plan has a fault for the call. `calls` are the verbs called so far.

    After `cut()` every call fails: the process that used this provider is dead to the store.
    """

    def __init__(self, inner: Provider, plan: Plan = lambda _verb, _number: Fault.NONE) -> None:
        self.inner = inner
        self.inline_limit = inner.inline_limit
        self.partitions = inner.partitions
        self.calls: list[str] = []
        self._plan = plan
        self.is_cut = False

    def cut(self) -> None:
        """Fail every call from now on."""
        self.is_cut = True

    async def _call(self, verb: str, args: tuple[Any, ...], options: dict[str, Any]) -> Any:
        if self.is_cut:
            raise InjectedFaultError(f"{verb}: the store is cut off")
        number = len(self.calls)
        self.calls.append(verb)
        fault = self._plan(verb, number)
        if fault is Fault.BEFORE:
            raise InjectedFaultError(f"{verb}: call {number} failed before its effect")
        result = await getattr(self.inner, verb)(*args, **options)
        if fault is Fault.AFTER:
            raise InjectedFaultError(f"{verb}: the answer of call {number} was lost")
        return result


def _forwarding(verb: str) -> Callable[..., Awaitable[Any]]:
    async def forward(self: FaultyProvider, *args: Any, **options: Any) -> Any:
        return await self._call(verb, args, options)  # pyright: ignore[reportPrivateUsage]

    return forward


for _verb in Provider.__abstractmethods__:
    setattr(FaultyProvider, _verb, _forwarding(_verb))
abc.update_abstractmethods(FaultyProvider)
