"""The client that functions get: the native methods, and beside them the names of azure-functions-durable 1.x (F1).

What that package does wrong is right here: every page of a query is read, `restart` returns an id, `history` is filled.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Protocol, TypedDict, Unpack, cast
from urllib.parse import quote, urlsplit

import azure.functions as func
import msgspec

from durable_ext.authoring.options import check_known, known_of
from durable_ext.errors import ConfigurationError, InstanceStateError, InvalidInputError
from durable_ext.functions.settings import AppSettings
from durable_ext.functions.status import DurableOrchestrationStatus, EntityStateResponse, PurgeHistoryResult, status_of
from durable_ext.http_api.links import hub_query, management_urls
from durable_ext.http_api.statuses import history, output_of
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.entity_id import EntityId
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Message
from durable_ext.worker.client import Client, StartOptions

_RETRY_AFTER = "10"


class EventNames(TypedDict, total=False):
    """The names that azure-functions-durable has for `name` and `data` of an event, and for another hub."""

    event_name: str
    event_data: Any
    task_hub_name: str | None
    connection_name: str | None


class SignalNames(TypedDict, total=False):
    """The names that azure-functions-durable has for the parameters of a signal, and for another hub."""

    entityId: EntityId | str
    operation_name: str
    operation_input: Any
    task_hub_name: str | None
    connection_name: str | None


_EVENT_NAMES, _SIGNAL_NAMES = known_of(EventNames), known_of(SignalNames)


class Elsewhere(Protocol):
    """How a client gets one of another hub or connection; None is that of the app."""

    async def __call__(self, hub: str | None = None, connection: str | None = None, /) -> DurableClient: ...


class DurableClient(Client):
    """A client of one hub that also knows how its app is reached. Errors are those of Client."""

    def __init__(self, native: Client, settings: AppSettings, elsewhere: Elsewhere | None = None) -> None:
        super().__init__(
            native._provider, native.catalog, converter=native.converter, clock=native._clock, signals=native._signals
        )
        self.check_orchestrator, self.check_entity = native.check_orchestrator, native.check_entity
        self.naming = native.naming
        self.telemetry = native.telemetry
        self.is_at_work = native.is_at_work
        self._native = native
        self._settings = settings
        self._elsewhere = elsewhere

    @property
    def hub_name(self) -> str:
        """Name of the task hub."""
        return self._settings.hub

    async def start_new(
        self,
        orchestration_function_name: str,
        instance_id: str | None = None,
        client_input: Any = None,
        version: str | None = None,
    ) -> str:
        """As `start`; an empty id is none, as a parameter that a request has left empty."""
        options = StartOptions(version=version)
        chosen = None if instance_id == "" else instance_id
        return await self.start(orchestration_function_name, client_input, instance_id=chosen, options=options)

    async def get_status(
        self,
        instance_id: str,
        show_history: bool = False,
        show_history_output: bool = False,
        show_input: bool = False,
    ) -> DurableOrchestrationStatus:
        """The instance; a false status when there is none. `show_history_output` puts payloads into the history."""
        nobody = cast("object", instance_id) is None  # a parameter that a request has not
        found = None if nobody else await self.get(instance_id, with_input=show_input)
        if found is None or not show_history:
            return status_of(found)
        events = await history(self, instance_id, with_input=show_history_output, with_output=show_history_output)
        return status_of(found, history=json.loads(msgspec.json.encode(events)))

    async def get_status_all(self) -> list[DurableOrchestrationStatus]:
        """Every instance of the hub."""
        return await self.get_status_by()

    async def get_status_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: Iterable[str] | None = None,
        instance_id_prefix: str | None = None,
    ) -> list[DurableOrchestrationStatus]:
        """Every instance for which all conditions given hold; times are aware UTC, ends included."""
        where = _filter(created_time_from, created_time_to, runtime_status, instance_id_prefix)
        return [status_of(found) async for found in self.list(where)]

    async def raise_event(
        self,
        instance_id: str,
        name: str = "",
        data: Any = None,
        *,
        message_id: str | None = None,
        **names: Unpack[EventNames],
    ) -> None:
        """Raise an external event; `event_name` and `event_data` are other names of `name` and `data`.

        `task_hub_name` and `connection_name` lead to an instance of another hub.
        """
        check_known("raise_event", names, _EVENT_NAMES)
        name = names.get("event_name", name)
        data = names.get("event_data", data)
        there = await self._client_of(names.get("task_hub_name"), names.get("connection_name"))
        if there is self:
            await super().raise_event(instance_id, name, data, message_id=message_id)
        else:
            await there.raise_event(instance_id, name, data, message_id=message_id)

    async def signal_entity(
        self,
        entity_id: EntityId | str = "",
        operation: Any = "",
        input: Any = None,  # noqa: A002 - the field's word for it
        *,
        signal_time: datetime | None = None,
        message_id: str | None = None,
        **names: Unpack[SignalNames],
    ) -> None:
        """Have an entity run an operation; nobody waits for it. An input of 0, "" or [] is one.

        `entityId`, `operation_name` and `operation_input` are other names of the first three; `task_hub_name` and
        `connection_name` lead to an entity of another hub.
        """
        check_known("signal_entity", names, _SIGNAL_NAMES)
        there = await self._client_of(names.get("task_hub_name"), names.get("connection_name"))
        signal = super().signal_entity if there is self else there.signal_entity
        await signal(
            names.get("entityId", entity_id),
            names.get("operation_name", operation),
            names.get("operation_input", input),
            signal_time=signal_time,
            message_id=message_id,
        )

    async def read_entity_state(
        self, entityId: EntityId | str, task_hub_name: str | None = None, connection_name: str | None = None
    ) -> EntityStateResponse:
        """Whether an entity exists, and its state as plain data."""
        there = await self._client_of(task_hub_name, connection_name)
        found = await there.read_entity(entityId)
        return EntityStateResponse(found is not None and found.exists, None if found is None else found.state)

    async def terminate(
        self, instance_id: str, reason: str = "", *, recursive: bool = True, output: Any = None
    ) -> None:
        """End an instance; one that has ended already stays as it is. Raises InstanceNotFoundError, PayloadError."""
        try:
            await super().terminate(instance_id, reason, recursive=recursive, output=output)
        except InstanceStateError:
            return

    async def suspend(self, instance_id: str, reason: str = "") -> None:
        """Suspend an instance; one that has ended already stays as it is. Raises InstanceNotFoundError."""
        try:
            await super().suspend(instance_id, reason)
        except InstanceStateError:
            return

    async def resume(self, instance_id: str, reason: str = "") -> None:
        """Resume an instance; one that has ended already stays as it is. Raises InstanceNotFoundError."""
        try:
            await super().resume(instance_id, reason)
        except InstanceStateError:
            return

    async def rewind(
        self, instance_id: str, reason: str = "", task_hub_name: str | None = None, connection_name: str | None = None
    ) -> None:
        """Have a failed instance go on from before its failure.

        Raises InstanceNotFoundError, and InstanceStateError for one that has not failed. `task_hub_name` and
        `connection_name` lead to an instance of another hub.
        """
        there = await self._client_of(task_hub_name, connection_name)
        if there is self:
            await super().rewind(instance_id, reason)
        else:
            await there.rewind(instance_id, reason)

    async def restart(
        self, instance_id: str, restart_with_new_instance_id: bool | None = None, *, new_instance_id: bool = True
    ) -> str:
        """Start the orchestration again with the same input; return its id."""
        chosen = new_instance_id if restart_with_new_instance_id is None else restart_with_new_instance_id
        return await super().restart(instance_id, new_instance_id=chosen)

    async def purge_instance_history(self, instance_id: str) -> PurgeHistoryResult:
        """As `purge`, counted."""
        return PurgeHistoryResult(int(await self.purge(instance_id)))

    async def purge_instance_history_by(
        self,
        created_time_from: datetime | None = None,
        created_time_to: datetime | None = None,
        runtime_status: Iterable[str] | None = None,
    ) -> PurgeHistoryResult:
        """Purge every ended instance for which all conditions given hold.

        Raises InvalidInputError, a ValueError, without `created_time_from`: nobody purges a whole hub by accident.
        """
        if created_time_from is None:
            raise InvalidInputError("created_time_from is missing; say since when, however long ago that is")
        where = _filter(created_time_from, created_time_to, runtime_status, None)
        return PurgeHistoryResult(await self.purge_matching(where))

    def create_http_management_payload(self, instance_id: str) -> dict[str, str]:
        """The management URLs of an instance, at the address that the settings give."""
        return management_urls(self._api_url(), instance_id, self._link_query, with_rewind=True)

    def get_client_response_links(self, request: func.HttpRequest | None, instance_id: str) -> dict[str, str]:
        """The management URLs of an instance, at the address that the request came to.

        A key in the request's `code` goes to the URLs, as in those of the management API; a host key opens them all.
        """
        code = "" if request is None else request.params.get("code", "")
        query = f"{self._link_query}&code={quote(code, safe='')}" if code else self._link_query
        return management_urls(self._api_url(request), instance_id, query, with_rewind=True)

    @property
    def _link_query(self) -> str:
        """The query of every management URL, as Durable Functions has it: names of the hub and of its connection."""
        return hub_query(self._settings.hub, self._settings.connection)

    def _api_url(self, request: func.HttpRequest | None = None) -> str:
        """The URL of the management API, at the address that the request came to, else that of the settings."""
        origin = self._settings.base_url if request is None else _origin(request)
        return "/".join(part for part in (origin, self._settings.route_prefix, "durabletask") if part)

    def create_check_status_response(self, request: func.HttpRequest | None, instance_id: str) -> func.HttpResponse:
        """202 with the management URLs as body and the status URL as Location."""
        links = self.get_client_response_links(request, instance_id)
        headers = {"Location": links["statusQueryGetUri"], "Retry-After": _RETRY_AFTER}
        return _json(202, links, headers)

    async def wait_for_completion_or_create_check_status_response(
        self,
        request: func.HttpRequest | None,
        instance_id: str,
        timeout_in_milliseconds: int = 10_000,
        retry_interval_in_milliseconds: int = 1_000,
    ) -> func.HttpResponse:
        """The output when the instance completes in time, else as create_check_status_response.

        200 with the output when completed, 200 with the status when terminated, 500 with the status when failed. An
        output that is a text is the body as it is, without quotes, as azure-functions-durable has it.
        The end is noticed at once, whatever the interval. Raises InvalidInputError for one above the timeout.
        """
        for name, given in (
            ("timeout_in_milliseconds", timeout_in_milliseconds),
            ("retry_interval_in_milliseconds", retry_interval_in_milliseconds),
        ):
            if not isinstance(cast("object", given), int | float):
                raise InvalidInputError(f"{name} is a number, not of type {type(given).__qualname__}")
        if retry_interval_in_milliseconds > timeout_in_milliseconds:
            raise InvalidInputError("retry_interval_in_milliseconds is above timeout_in_milliseconds")
        try:
            found = await self.wait_for_completion(instance_id, timedelta(milliseconds=timeout_in_milliseconds))
        except TimeoutError:
            return self.create_check_status_response(request, instance_id)
        if found.runtime_status is RuntimeStatus.COMPLETED:
            output = found.output
            return _json(200, output if isinstance(output, str) else output_of(found.row))
        failed = found.runtime_status is RuntimeStatus.FAILED
        return _json(500 if failed else 200, status_of(found).to_json())

    async def _client_of(self, hub: str | None, connection: str | None) -> DurableClient:
        """The client of the hub that is named, this one when none is. Raises ConfigurationError."""
        if hub is None and connection is None:
            return self
        if self._elsewhere is None:
            raise ConfigurationError("this client was made for one hub; get one for another by durable_client_input")
        return await self._elsewhere(hub, connection)

    async def _deliver(self, message: Message) -> None:
        # By the worker's own client, which knows whether this process deals with it (S4).
        await self._native._deliver(message)


def _filter(
    created_from: datetime | None, created_to: datetime | None, statuses: Iterable[str] | None, prefix: str | None
) -> InstanceFilter:
    # A status is a text, too, and a text is made of characters.
    wanted = (statuses,) if isinstance(statuses, str) else statuses or ()
    for name, given in (("created_time_from", created_from), ("created_time_to", created_to)):
        if not isinstance(cast("object", given), datetime | None):
            raise InvalidInputError(f"{name} is a datetime, not of type {type(given).__qualname__}")
    return InstanceFilter(
        statuses=frozenset(map(_status, wanted)),
        created_from=created_from,
        created_to=created_to,
        id_prefix=prefix or "",
    )


def _status(status: str) -> RuntimeStatus:
    try:
        return RuntimeStatus(status)
    except ValueError as error:
        known = ", ".join(item.value for item in RuntimeStatus)
        raise InvalidInputError(f"{status!r} is no runtime status; there are {known}") from error


def _origin(request: func.HttpRequest) -> str:
    url = urlsplit(request.url)
    return f"{url.scheme}://{url.netloc}"


def _json(status: int, value: Any, headers: dict[str, str] | None = None) -> func.HttpResponse:
    body = value if isinstance(value, str) else msgspec.json.encode(value)
    return func.HttpResponse(body, status_code=status, headers=headers, mimetype="application/json")
