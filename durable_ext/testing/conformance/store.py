"""What a provider's author fills in, and how its tests run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from typing import Any, TypeVar

import msgspec

from durable_ext.providers.contract import Catalog, Clock, Feed, Provider
from durable_ext.testing.injection import Fault, FaultyProvider


class Store(msgspec.Struct, frozen=True):
    """A provider under test with its created, empty hub; one object may be all three.

    `pass_time(seconds)` lets time pass for the store: really, or by moving the clock it was given. `clock` is the time
    that the store goes by.
    """

    provider: Provider
    feed: Feed
    catalog: Catalog
    pass_time: Callable[[float], Awaitable[None]]
    clock: Clock


class Conformance:
    """Inherit a theme and say how a store is opened."""

    def open_store(self) -> AbstractAsyncContextManager[Store]:
        """A fresh store; what it holds is given up when the context ends."""
        raise NotImplementedError("say how a store is opened")

    def run(self, test: Coroutine[Any, Any, None]) -> None:
        """Run one test to its end."""
        asyncio.run(test)


_Self = TypeVar("_Self", bound=Conformance)


def on_store(test: Callable[[_Self, Store], Coroutine[Any, Any, None]]) -> Callable[[_Self], None]:
    """A test in plain form: it opens a store, runs, and closes it."""

    def run(self: _Self) -> None:
        async def opened() -> None:
            async with self.open_store() as store:
                await test(self, store)

        self.run(opened())

    # Not functools.wraps: a runner would see the parameters of the inner function.
    run.__name__, run.__qualname__, run.__doc__ = test.__name__, test.__qualname__, test.__doc__
    return run


def losing_answers(provider: Provider, *verbs: str) -> Provider:
    """The provider as a process sees it whose first call of each of these verbs takes effect and is not answered."""
    left = set(verbs)

    def plan(verb: str, _number: int) -> Fault:
        if verb not in left:
            return Fault.NONE
        left.remove(verb)
        return Fault.AFTER

    return FaultyProvider(provider, plan)  # pyright: ignore[reportAbstractUsage] - its verbs are made at run time
