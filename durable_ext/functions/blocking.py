"""The client for a function that is no coroutine: its calls wait, in a thread, for the loop to make them.

Nothing is written twice: each method is the client's own, with its types, made to wait by `_Waiting` or `_Iterating`.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar, cast, overload

from durable_ext.errors import ConfigurationError
from durable_ext.functions.client import DurableClient

_P = ParamSpec("_P")
_R = TypeVar("_R")


class _Borrowed(Generic[_P, _R]):
    """A method of the client, looked up by its name when it is called, so that one that is replaced is used."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._name = method.__name__
        self.__wrapped__ = method
        self.__doc__ = method.__doc__

    def _method(self, owner: BlockingClient) -> Any:
        return getattr(owner.client, self._name)


class _Waiting(_Borrowed[_P, _R]):
    """A coroutine of the client, waited for."""

    def __init__(self, method: Callable[Concatenate[Any, _P], Coroutine[Any, Any, _R]]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, owner: None, kind: Any = None) -> _Waiting[_P, _R]: ...
    @overload
    def __get__(self, owner: BlockingClient, kind: Any = None) -> Callable[_P, _R]: ...
    def __get__(self, owner: BlockingClient | None, kind: Any = None) -> Any:
        if owner is None:
            return self
        method = self._method(owner)

        @functools.wraps(method)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> _R:
            owner.check_thread()
            return owner.wait(method(*args, **kwargs))

        return call


class _Iterating(_Borrowed[_P, _R]):
    """An async iterator of the client as a plain one: each item is fetched when it is asked for."""

    def __init__(self, method: Callable[Concatenate[Any, _P], AsyncIterator[_R]]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, owner: None, kind: Any = None) -> _Iterating[_P, _R]: ...
    @overload
    def __get__(self, owner: BlockingClient, kind: Any = None) -> Callable[_P, Iterator[_R]]: ...
    def __get__(self, owner: BlockingClient | None, kind: Any = None) -> Any:
        if owner is None:
            return self
        method = self._method(owner)

        @functools.wraps(method)
        def call(*args: _P.args, **kwargs: _P.kwargs) -> Iterator[_R]:
            owner.check_thread()
            return _items(owner, method(*args, **kwargs))

        return call


class _Plain(_Borrowed[_P, _R]):
    """A method of the client that waits for nothing."""

    def __init__(self, method: Callable[Concatenate[Any, _P], _R]) -> None:
        super().__init__(method)

    @overload
    def __get__(self, owner: None, kind: Any = None) -> _Plain[_P, _R]: ...
    @overload
    def __get__(self, owner: BlockingClient, kind: Any = None) -> Callable[_P, _R]: ...
    def __get__(self, owner: BlockingClient | None, kind: Any = None) -> Any:
        return self if owner is None else self._method(owner)


class BlockingClient:
    """Has every method of DurableClient, with the same arguments, results and errors, and none needs `await`.

    `list`, `pages`, `changes` and `list_entities` are plain iterators. For functions that are no coroutines, which run
    in threads: on the event loop's own thread each call raises ConfigurationError. `client` is the client itself.
    """

    def __init__(self, client: DurableClient, loop: asyncio.AbstractEventLoop) -> None:
        self.client = client
        self._loop = loop

    @property
    def hub_name(self) -> str:
        """Name of the task hub."""
        return self.client.hub_name

    def check_thread(self) -> None:
        """Raise ConfigurationError where waiting would stop an event loop, or would never end."""
        try:
            asyncio.get_running_loop()
        except RuntimeError:  # no loop in this thread, so it may wait
            if self._loop.is_running():
                return
            raise ConfigurationError(
                "the event loop of this BlockingClient has ended; use the client while its function runs"
            ) from None
        raise ConfigurationError(
            "a BlockingClient would block the event loop here; use it in a plain function only, or write `async def` "
            "and take a DurableClient"
        )

    def wait(self, coroutine: Coroutine[Any, Any, _R]) -> _R:
        """What a coroutine returns or raises that is run where the client lives; for clients made of `client`."""
        try:
            self.check_thread()
        except ConfigurationError:
            coroutine.close()
            raise
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    def leave(self, items: AsyncIterator[Any]) -> None:
        """Have an iterator closed where the client lives; nobody waits, since this may be any thread."""
        if isinstance(items, AsyncGenerator) and self._loop.is_running():
            asyncio.run_coroutine_threadsafe(_close(cast("AsyncGenerator[Any]", items)), self._loop)

    start = _Waiting(DurableClient.start)
    start_new = _Waiting(DurableClient.start_new)
    restart = _Waiting(DurableClient.restart)
    get = _Waiting(DurableClient.get)
    get_many = _Waiting(DurableClient.get_many)
    get_status = _Waiting(DurableClient.get_status)
    get_status_all = _Waiting(DurableClient.get_status_all)
    get_status_by = _Waiting(DurableClient.get_status_by)
    row = _Waiting(DurableClient.row)
    status_of = _Waiting(DurableClient.status_of)
    list = _Iterating(DurableClient.list)
    pages = _Iterating(DurableClient.pages)
    count = _Waiting(DurableClient.count)
    changes = _Iterating(DurableClient.changes)
    executions = _Waiting(DurableClient.executions)
    history = _Waiting(DurableClient.history)
    activity_progress = _Waiting(DurableClient.activity_progress)
    progress_reports = _Waiting(DurableClient.progress_reports)
    load_payload = _Waiting(DurableClient.load_payload)
    load_failure = _Plain(DurableClient.load_failure)

    wait_for_start = _Waiting(DurableClient.wait_for_start)
    wait_for_completion = _Waiting(DurableClient.wait_for_completion)
    wait_for_custom_status = _Waiting(DurableClient.wait_for_custom_status)
    wait_for_custom_status_change = _Waiting(DurableClient.wait_for_custom_status_change)
    wait_for_event = _Waiting(DurableClient.wait_for_event)
    wait_for_value = _Waiting(DurableClient.wait_for_value)
    wait_until = _Waiting(DurableClient.wait_until)
    get_value = _Waiting(DurableClient.get_value)
    get_values = _Waiting(DurableClient.get_values)

    raise_event = _Waiting(DurableClient.raise_event)
    terminate = _Waiting(DurableClient.terminate)
    suspend = _Waiting(DurableClient.suspend)
    resume = _Waiting(DurableClient.resume)
    rewind = _Waiting(DurableClient.rewind)
    purge = _Waiting(DurableClient.purge)
    purge_by_force = _Waiting(DurableClient.purge_by_force)
    purge_matching = _Waiting(DurableClient.purge_matching)
    purge_older_than = _Waiting(DurableClient.purge_older_than)
    purge_instance_history = _Waiting(DurableClient.purge_instance_history)
    purge_instance_history_by = _Waiting(DurableClient.purge_instance_history_by)

    signal_entity = _Waiting(DurableClient.signal_entity)
    read_entity = _Waiting(DurableClient.read_entity)
    read_entity_state = _Waiting(DurableClient.read_entity_state)
    list_entities = _Iterating(DurableClient.list_entities)
    clean_entities = _Waiting(DurableClient.clean_entities)

    create_check_status_response = _Plain(DurableClient.create_check_status_response)
    create_http_management_payload = _Plain(DurableClient.create_http_management_payload)
    get_client_response_links = _Plain(DurableClient.get_client_response_links)
    wait_for_completion_or_create_check_status_response = _Waiting(
        DurableClient.wait_for_completion_or_create_check_status_response
    )


def _items(owner: BlockingClient, items: AsyncIterator[_R]) -> Iterator[_R]:
    async def following() -> tuple[_R, ...]:
        async for item in items:
            return (item,)
        return ()

    try:
        while found := owner.wait(following()):
            yield found[0]
    finally:
        owner.leave(items)


async def _close(items: AsyncGenerator[Any]) -> None:
    await items.aclose()
