"""Entities over HTTP, with the routes and fields of Durable Functions."""

from __future__ import annotations

from collections.abc import Awaitable
from functools import partial

import msgspec
from starlette.responses import Response

from durable_ext.errors import ConfigurationError, InstanceNotFoundError, InvalidInputError
from durable_ext.http_api import queries, statuses
from durable_ext.http_api.bodies import event_data
from durable_ext.http_api.calls import Call, accepted, json_response
from durable_ext.http_api.continuations import CONTINUATION, closed, opened
from durable_ext.http_api.pages import fitting_page, row_size
from durable_ext.http_api.queries import flag
from durable_ext.http_api.refusals import Refusal
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.entity_id import EntityId
from durable_ext.records.entity_summary import EntitySummary
from durable_ext.records.ids import ENTITY_MARK
from durable_ext.records.instance import InstanceRow

_DELETE = "delete"


class EntityIdView(msgspec.Struct, frozen=True):
    """The address of an entity."""

    name: str
    key: str


class EntityView(msgspec.Struct, frozen=True, rename="camel"):
    """An entity of a list. `state` is there when it was asked for. Times are ISO 8601 in whole seconds, UTC."""

    entity_id: EntityIdView
    last_operation_time: str
    state: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


async def show(call: Call) -> Response:
    """The state of an entity as it is; 404 when it has none."""
    entity_id = _entity_id(call)
    client = await call.client()
    found = await client.read_entity(entity_id, msgspec.Raw)
    if found is None or not found.exists:
        raise InstanceNotFoundError(f"entity {entity_id} does not exist: nobody has given it a state")
    call.share.keep(len(found.state))
    return json_response(found.state)


async def list_entities(call: Call) -> Response:
    """One page of entities that have a state; the header names where the next one begins."""
    name = call.params.get("name", "")
    prefix = f"{ENTITY_MARK}{EntityId(name, '-').name}{ENTITY_MARK}" if name else ENTITY_MARK
    where = InstanceFilter(
        id_prefix=prefix,
        updated_from=queries.time(call.query, "lastOperationTimeFrom"),
        updated_to=queries.time(call.query, "lastOperationTimeTo"),
        entities=True,
    )
    with_state = flag(call.query, "fetchState", False)
    continuation = opened(call.request.headers.get(CONTINUATION, ""))
    client = await call.client()
    page = await fitting_page(
        lambda limit: client.catalog.query(where, limit=limit, continuation=continuation),
        queries.page_size(call.query),
        partial(row_size, with_input=with_state),
        call.limits.page,
    )
    call.share.take(sum(row_size(row, with_input=with_state) for row in page.rows))
    there = [row for row in page.rows if EntitySummary.of(row.custom_status).exists]
    shown = await statuses.side_by_side(there, lambda row: _view(call, row, with_state=with_state))
    return json_response(shown, 200, {} if page.continuation is None else {CONTINUATION: closed(page.continuation)})


async def signal(call: Call) -> Response:
    """Have an entity run the operation `op`; the body is its input."""
    operation = call.query.get("op", "")
    if not operation:
        raise InvalidInputError("op is missing; say which operation the entity is to run")
    body = await call.body()
    client = await call.client()
    with client.telemetry.incoming(call.request.headers):
        return await _signaled(client.signal_entity(_entity_id(call), operation, event_data(body) if body else None))


async def delete(call: Call) -> Response:
    """Have an entity run the operation `delete`, which deletes its state unless its code does otherwise."""
    client = await call.client()
    return await _signaled(client.signal_entity(_entity_id(call), _DELETE))


async def _signaled(signaling: Awaitable[None]) -> Response:
    try:
        await signaling
    except ConfigurationError as error:
        raise Refusal(404, "unknown_entity", str(error)) from error
    return accepted()


def _entity_id(call: Call) -> EntityId:
    return EntityId(call.params["name"], call.params["key"])


async def _view(call: Call, row: InstanceRow, *, with_state: bool) -> EntityView:
    entity_id = EntityId.parse(row.instance_id)
    state: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    if with_state and row.input is not None:
        client = await call.client()
        state = msgspec.Raw((await client.load_payload(row.input)).data)
    view = EntityIdView(entity_id.name, entity_id.key)
    return EntityView(entity_id=view, last_operation_time=statuses.seconds(row.updated_at), state=state)
