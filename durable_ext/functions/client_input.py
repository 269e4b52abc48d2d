"""The client parameter of a user's function: hidden from the host, filled in by us (F1).

No binding reaches the host, which would not know it without the .NET extension; the worker in turn refuses a parameter
without a binding. So what is registered is a wrapper whose signature lacks the parameter.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import TYPE_CHECKING, Any

from azure.functions.decorators.function_app import FunctionBuilder

from durable_ext.errors import ConfigurationError
from durable_ext.functions.blocking import BlockingClient
from durable_ext.functions.client_binding import ClientBinding

if TYPE_CHECKING:
    from durable_ext.functions.engine import Engine

AnyFunction = Callable[..., Any]


class ClientInput:
    """The decorator. The app's engine is looked up at the call: a blueprint gets its app after it is decorated.

    `as_text`: the function takes the binding as the classic model has it, see ClientBinding.
    """

    def __init__(
        self,
        engine: Callable[[], Engine],
        client_name: str,
        hub: str | None,
        connection: str | None,
        *,
        as_text: bool = False,
    ) -> None:
        self._engine = engine
        self._as_text = as_text
        self._client_name = client_name
        self._hub = hub
        self._connection = connection

    def __call__(self, decorated: Any) -> Any:
        if isinstance(decorated, FunctionBuilder):  # above the trigger's decorator
            inner: Any = decorated._function  # pyright: ignore[reportPrivateUsage]
            inner._func = self._wrap(inner.get_user_function())
            return decorated
        return self._wrap(decorated)

    def _wrap(self, function: AnyFunction) -> AnyFunction:
        signature = inspect.signature(function)
        name = self._client_name
        if name not in signature.parameters:
            raise ConfigurationError(
                f"function {function.__name__!r} has no parameter {name!r}, which durable_client_input names"
            )
        wrapper = self._async_wrapper(function) if inspect.iscoroutinefunction(function) else self._wrapper(function)
        functools.update_wrapper(wrapper, function)
        shown = [parameter for parameter in signature.parameters.values() if parameter.name != name]
        wrapper.__dict__["__signature__"] = signature.replace(parameters=shown)
        wrapper.__annotations__ = {key: value for key, value in function.__annotations__.items() if key != name}
        wrapper.__dict__["client_function"] = function
        return wrapper

    def _async_wrapper(self, function: AnyFunction) -> Callable[..., Coroutine[Any, Any, Any]]:
        async def call(*args: Any, **kwargs: Any) -> Any:
            client = await self._engine().client(self._hub, self._connection)
            given = ClientBinding(client) if self._as_text else client
            return await function(*args, **{self._client_name: given}, **kwargs)

        return call

    def _wrapper(self, function: AnyFunction) -> Callable[..., Coroutine[Any, Any, Any]]:
        # Async for the host, because the client lives on its loop; the user's code gets a thread all the same.
        async def call(*args: Any, **kwargs: Any) -> Any:
            client = await self._engine().client(self._hub, self._connection)
            blocking = BlockingClient(client, asyncio.get_running_loop())
            given = ClientBinding(client, blocking) if self._as_text else blocking
            return await asyncio.to_thread(function, *args, **{self._client_name: given}, **kwargs)

        return call
