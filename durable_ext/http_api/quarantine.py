"""Messages that could not be processed: see them, send them again, drop them (P11)."""

from __future__ import annotations

from starlette.responses import Response

from durable_ext.http_api import queries
from durable_ext.http_api.calls import Call, accepted, json_response
from durable_ext.http_api.pages import how_many_fit
from durable_ext.http_api.refusals import Refusal


async def list_messages(call: Call) -> Response:
    """Quarantined messages, oldest first; fewer than asked for where they are long."""
    limit = queries.page_size(call.query)
    found = await (await call.client()).catalog.list_quarantined(limit=limit)
    fitting = how_many_fit(found, lambda message: len(message.body) + len(message.stack), call.limits.page)
    return json_response(found[:fitting])


async def show_message(call: Call) -> Response:
    """One quarantined message, with its stack."""
    message_id = call.params["id"]
    message = await (await call.client()).catalog.read_quarantined(message_id)
    if message is None:
        raise _unknown(message_id)
    return json_response(message)


async def replay_message(call: Call) -> Response:
    """Send a quarantined message again."""
    await _release(call, replay=True)
    return accepted()


async def drop_message(call: Call) -> Response:
    """Delete a quarantined message for good."""
    await _release(call, replay=False)
    return Response(status_code=204)


async def _release(call: Call, *, replay: bool) -> None:
    message_id = call.params["id"]
    if not await (await call.client()).catalog.release_quarantined(message_id, replay=replay):
        raise _unknown(message_id)


def _unknown(message_id: str) -> Refusal:
    return Refusal(404, "unknown_message", f"no message with the id {message_id!r} is in quarantine")
