"""What the Functions host does with an app's queue and HTTP functions, in small (F2, F3, functions-host.md 3 and 6).

It receives up to a batch of messages with a lease of ten minutes, decodes base64, lays the top-level fields of a JSON
body over the metadata, calls the function, and deletes the message or shows it again; the fifth failure puts it into
the poison queue. Timers fire every minute. Routes are tried in the order of the functions' names.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import unquote, urlsplit

from azure.core.exceptions import ResourceNotFoundError
from azure.functions.meta import Datum
from azure.storage.queue import QueueMessage
from azure.storage.queue.aio import QueueClient, QueueServiceClient

from durable_ext.functions.local import HttpFunction, LocalFunctions, QueueFunction

MOST_ATTEMPTS = 5
_BATCH = 16
_LEASE_SECONDS = 600
_POLL_SECONDS = 0.05
_PLACEHOLDER = re.compile(r"\{(\*?)(\w+)(?::\w+)?(\??)\}")


class ImitationHost:
    """Runs an app's functions. `failures` are the errors its queue functions raised, by function name."""

    def __init__(self, functions: LocalFunctions, storage: QueueServiceClient, minute: float) -> None:
        self.functions = functions
        self.failures: list[tuple[str, BaseException]] = []
        self._storage = storage
        self._minute = minute
        self._stopping = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        for function in self.functions.queues:
            self._spawn(self._listen(function))
        self._spawn(self._fire_timers())

    async def stop(self) -> None:
        self._stopping.set()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def request(self, method: str, url: str, body: Any = None) -> tuple[int, dict[str, str], Any]:
        """Status, headers and JSON body of the answer to a request; 404 when no function has the route."""
        path = urlsplit(url).path
        data = b"" if body is None else json.dumps(body).encode()
        headers = {"Host": urlsplit(url).netloc, "Content-Type": "application/json"}
        for function in self.functions.http:
            params = _match(function, method, path)
            if params is not None:
                status, answered, text = await function.invoke(method, url, headers, params, data)
                return status, {name.lower(): value for name, value in answered}, _json(text)
        return 404, {}, None

    async def _fire_timers(self) -> None:
        """Every timer once a minute, as the engine's is set."""
        while True:
            await self._pause(self._minute)
            for timer in self.functions.timers:
                await timer.invoke()

    async def _listen(self, function: QueueFunction) -> None:
        queue = self._storage.get_queue_client(function.queue_name)
        while True:
            try:
                received = queue.receive_messages(max_messages=_BATCH, visibility_timeout=_LEASE_SECONDS)
                messages = [message async for message in received]
            except ResourceNotFoundError:  # the trigger does not create its queue
                messages = []
            for message in messages:
                self._spawn(self._deliver(function, queue, message))
            if not messages:
                await self._pause()

    async def _deliver(self, function: QueueFunction, queue: QueueClient, message: QueueMessage) -> None:
        try:
            data = base64.b64decode(message.content, validate=True)
        except binascii.Error:
            await self._poison(function, message)
            await queue.delete_message(message)
            return
        try:
            await function.function.call(Datum(data, "bytes"), _metadata(message, data))
        except Exception as error:  # noqa: BLE001 - a failed invocation, whatever failed
            self.failures.append((function.name, error))
            await self._fail(function, queue, message)
        else:
            await queue.delete_message(message)

    async def _fail(self, function: QueueFunction, queue: QueueClient, message: QueueMessage) -> None:
        if (message.dequeue_count or 1) < MOST_ATTEMPTS:
            await queue.update_message(message, visibility_timeout=0)
        elif not function.queue_name.endswith("-poison"):
            await self._poison(function, message)
            await queue.delete_message(message)

    async def _poison(self, function: QueueFunction, message: QueueMessage) -> None:
        poison = self._storage.get_queue_client(f"{function.queue_name}-poison")
        try:
            await poison.send_message(message.content)
        except ResourceNotFoundError:
            await poison.create_queue()
            await poison.send_message(message.content)

    async def _pause(self, seconds: float = _POLL_SECONDS) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            return

    def _spawn(self, work: Any) -> None:
        task: asyncio.Task[None] = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def imitation_host(
    functions: LocalFunctions, connection: str, *, minute: float = 60
) -> AsyncGenerator[ImitationHost]:
    """A host that runs until the block ends. `minute` is how many seconds a minute of its timers takes."""
    async with QueueServiceClient.from_connection_string(connection) as storage:
        host = ImitationHost(functions, storage, minute)
        host.start()
        try:
            yield host
        finally:
            await host.stop()


def _metadata(message: QueueMessage, data: bytes) -> dict[str, Datum]:
    """The message's own, with the top-level fields of a JSON object laid over them, arrays and nulls excepted."""
    fields: dict[str, Any] = {"Id": message.id, "DequeueCount": str(message.dequeue_count or 1)}
    names = {name.lower(): name for name in fields}
    try:
        body = json.loads(data)
    except ValueError:
        body = None
    for name, value in body.items() if isinstance(body, dict) else ():  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
        if value is not None and not isinstance(value, list):
            fields[names.get(str(name).lower(), str(name))] = value if isinstance(value, str) else json.dumps(value)  # pyright: ignore[reportUnknownArgumentType]
    return {name: Datum(value, "string") for name, value in fields.items()}


def _match(function: HttpFunction, method: str, path: str) -> dict[str, str] | None:
    pattern = ""
    position = 0
    for found in _PLACEHOLDER.finditer(function.route):
        pattern += re.escape(function.route[position : found.start()])
        pattern += f"(?P<{found[2]}>{'.*' if found[1] else '[^/]+'})"
        position = found.end()
    pattern += re.escape(function.route[position:])
    matched = re.fullmatch(f"/api/{pattern}".replace("/(?P<path>.*)", "(?:/(?P<path>.*))?"), path, re.IGNORECASE)
    if matched is None or method not in function.methods:
        return None
    return {name: unquote(value or "") for name, value in matched.groupdict().items()}


def _json(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text.decode()
