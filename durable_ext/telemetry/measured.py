"""A provider whose calls are measured. Made only for who measures, so that nobody else pays for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import TYPE_CHECKING, Any, cast

from durable_ext.providers.contract import Provider

if TYPE_CHECKING:
    from durable_ext.telemetry.measures import Measures

_VERBS: frozenset[str] = frozenset(getattr(Provider, "__abstractmethods__"))  # noqa: B009 - of every ABC


def measured(provider: Provider, measures: Measures) -> Provider:
    """The provider, behind calls that are measured by verb."""
    return cast("Provider", _Measured(provider, measures))


class _Measured:
    def __init__(self, provider: Provider, measures: Measures) -> None:
        self._provider = provider
        self._measures = measures

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if name not in _VERBS:
            return found
        call = self._call(name, found)
        setattr(self, name, call)  # found at once from now on
        return call

    def _call(self, name: str, verb: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        measures = self._measures

        async def call(*arguments: Any, **named: Any) -> Any:
            began, failed = perf_counter(), None
            try:
                return await verb(*arguments, **named)
            except BaseException as error:
                failed = error
                raise
            finally:
                measures.stored(name, perf_counter() - began, failed)

        return call
