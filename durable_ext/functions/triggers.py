"""The engine's own functions: what the host calls so that orchestrations run (F1, F2, F3).

A trigger invocation is a delivery whose lease the host holds: returning completes it, raising abandons it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import azure.functions as func

from durable_ext.functions.asgi import call_asgi
from durable_ext.providers.azure_storage.names import POISON_SUFFIX, HubNames
from durable_ext.records.ids import check_tag

if TYPE_CHECKING:
    from durable_ext.functions.engine import Engine
    from durable_ext.functions.settings import AppSettings
    from durable_ext.records.messages import Delivery
    from durable_ext.worker.worker import Worker

MOUNT = "durabletask"
JANITOR_NAME = "durable_janitor"
# The host tries routes in the order of the functions' names: last, so that no route of the app is shadowed.
HTTP_NAME = "zzz_durable_http"
EVERY_MINUTE = "0 * * * * *"


def engine_functions(engine: Engine) -> list[Any]:
    """Builders of the engine's functions, for an app's list. Raises ConfigurationError for wrong settings."""
    settings = engine.settings
    container = func.Blueprint()
    if settings.sqlite_file is None:
        names = HubNames(settings.hub, settings.partitions)
        for number, queue in enumerate(names.control):
            _add_queue(container, engine, queue, f"durable_control_{number:02}")
        for tag in map(check_tag, settings.worker.work_tags):
            suffix = f"_{tag.replace('-', '_')}" if tag else ""
            _add_queue(container, engine, names.work_of(tag), f"durable_workitems{suffix}")
    _add_janitor(container, engine)
    _add_http(container, engine, settings)
    return list(container._function_builders)  # pyright: ignore[reportPrivateUsage]


def _add_queue(container: func.Blueprint, engine: Engine, queue: str, name: str) -> None:
    async def process(message: func.QueueMessage) -> None:
        worker = await engine.worker()
        await worker.process(await _delivery(worker, queue, message, message.dequeue_count or 1))

    async def process_poison(message: func.QueueMessage) -> None:
        worker = await engine.worker()
        # The host has put a copy there, which counts from 1 again; what matters is how often it was handed out before.
        handed_out = engine.settings.max_attempts
        await worker.process_poison(await _delivery(worker, queue + POISON_SUFFIX, message, handed_out))

    _add_queue_trigger(container, engine, queue, process, name)
    _add_queue_trigger(container, engine, queue + POISON_SUFFIX, process_poison, f"{name}_poison")


def _add_queue_trigger(
    container: func.Blueprint, engine: Engine, queue: str, function: Callable[..., Any], name: str
) -> None:
    # Binary, so that a body that is no text reaches us and is kept for an operator, instead of failing unseen (P11).
    trigger = container.queue_trigger(  # pyright: ignore[reportUnknownMemberType]
        arg_name="message",
        queue_name=queue,
        connection=engine.settings.connection,
        data_type=func.DataType.BINARY,
    )
    container.function_name(name)(trigger(function))


async def _delivery(worker: Worker, queue: str, message: func.QueueMessage, attempts: int) -> Delivery:
    body = message.get_body().decode("utf-8", errors="backslashreplace")
    return await worker.provider.open_delivery(queue, message.id or "", body, attempts)


def _add_janitor(container: func.Blueprint, engine: Engine) -> None:
    async def tidy(timer: func.TimerRequest) -> None:
        await (await engine.worker()).tidy()

    # Without the host's monitor: a missed round needs no making up for, and the monitor writes a blob each time.
    trigger = container.timer_trigger(arg_name="timer", schedule=EVERY_MINUTE, run_on_startup=False, use_monitor=False)
    container.function_name(JANITOR_NAME)(trigger(tidy))


def _add_http(container: func.Blueprint, engine: Engine, settings: AppSettings) -> None:
    async def manage(req: func.HttpRequest) -> func.HttpResponse:
        return await call_asgi(await engine.api(), req, MOUNT)

    trigger = container.route(
        route=MOUNT + "/{*path}",
        methods=list(func.HttpMethod),
        auth_level=func.AuthLevel(settings.auth_level),
    )
    container.function_name(HTTP_NAME)(container.http_type("asgi")(trigger(manage)))
