"""Looking at instances and purging them."""

from __future__ import annotations

from functools import partial
from urllib.parse import quote, urlsplit

import msgspec
from starlette.responses import Response

from durable_ext.errors import InstanceNotFoundError, InstanceStateError, InvalidInputError
from durable_ext.http_api import queries, statuses
from durable_ext.http_api.calls import Call, json_response
from durable_ext.http_api.continuations import CONTINUATION, closed, opened
from durable_ext.http_api.history import HistoryEvent, placed
from durable_ext.http_api.pages import (
    event_size,
    first_event,
    fitting_page,
    how_many_fit,
    place_of_event,
    row_size,
)
from durable_ext.http_api.queries import flag
from durable_ext.http_api.refusals import RETRY_SECONDS, Refusal
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client.forcing import Forced

# What a query string is made of, percent signs included.
_AS_SENT = "%&=+,:;/?@!$'()*[]{}~"


class Purged(msgspec.Struct, frozen=True, rename="camel"):
    """How many instances were purged; by force, also what was met and done."""

    instances_deleted: int
    forced: Forced | msgspec.UnsetType = msgspec.UNSET


async def get_instance(call: Call) -> Response:
    """One instance: 202 while it runs, 200 when it has ended."""
    instance_id = call.instance_id
    with_input = flag(call.query, "showInput", True)
    with_history = flag(call.query, "showHistory", False)
    with_output = flag(call.query, "showHistoryOutput", False)
    with_progress = flag(call.query, "showProgress", False)
    failed_is_500 = flag(call.query, "returnInternalServerErrorOnFailure", False)
    client = await call.client()
    row = await client.row(instance_id)
    if row is None:
        raise InstanceNotFoundError(f"no instance has the id {instance_id!r}")
    call.share.take(row_size(row, with_input=with_input))
    status = await client.status_of(row, with_input=with_input)
    history: list[HistoryEvent] | msgspec.UnsetType = msgspec.UNSET
    headers: dict[str, str] = {}
    if with_history:
        history, headers = await _history(call, instance_id, with_input=with_input, with_output=with_output)
    shown = statuses.view(status, history)
    if with_progress:
        shown = msgspec.structs.replace(shown, activity_progress=await statuses.progress(client, instance_id))
    if status.runtime_status.is_terminal:
        failed = status.runtime_status is RuntimeStatus.FAILED and failed_is_500
        return json_response(shown, 500 if failed else 200, headers)
    headers |= {"Location": _same_url(call, instance_id), "Retry-After": RETRY_SECONDS}
    return json_response(shown, 202, headers)


async def _history(
    call: Call, instance_id: str, *, with_input: bool, with_output: bool
) -> tuple[list[HistoryEvent], dict[str, str]]:
    """The events that fit an answer, and the header that names where the others begin."""
    client = await call.client()
    turns = await client.history(instance_id)
    if not turns:
        return [], {}
    execution_id = turns[0].execution.execution_id
    first = first_event(opened(call.request.headers.get(CONTINUATION, "")), execution_id)
    events = [found for found in placed(turns, with_input=with_input, with_output=with_output) if found[0] >= first]
    count = how_many_fit(events, lambda found: event_size(found[1]), call.limits.page)
    call.share.take(sum(event_size(event) for _, event in events[:count]))
    shown = await statuses.loaded_events(client, [event for _, event in events[:count]])
    if count == len(events):
        return shown, {}
    return shown, {CONTINUATION: closed(place_of_event(execution_id, events[count][0]))}


def _same_url(call: Call, instance_id: str) -> str:
    # The status URL of the instance; whoever follows it goes on seeing what was asked for.
    url = call.urls(instance_id)["statusQueryGetUri"]
    own = {part.partition("=")[0] for part in urlsplit(url).query.split("&")}
    asked = quote(call.request.scope["query_string"], safe=_AS_SENT).split("&")
    rest = "&".join(part for part in asked if part and part.partition("=")[0] not in own)
    return f"{url}{'&' if '?' in url else '?'}{rest}" if rest else url


async def list_instances(call: Call) -> Response:
    """One page of instances; the header names where the next one begins."""
    stuck = flag(call.query, "stuck", False)
    where = msgspec.structs.replace(queries.instance_filter(call.query), stuck=stuck)
    limit = queries.page_size(call.query)
    with_input = flag(call.query, "showInput", True)
    continuation = opened(call.request.headers.get(CONTINUATION, ""))
    client = await call.client()
    page = await fitting_page(
        lambda limit: client.catalog.query(where, limit=limit, continuation=continuation),
        limit,
        partial(row_size, with_input=with_input),
        call.limits.page,
    )
    call.share.take(sum(row_size(row, with_input=with_input) for row in page.rows))
    shown = await statuses.views(client, page.rows, with_input=with_input)
    return json_response(shown, 200, {} if page.continuation is None else {CONTINUATION: closed(page.continuation)})


async def purge_instance(call: Call) -> Response:
    """Delete an ended instance with its history; with `force` any instance."""
    instance_id = call.instance_id
    by_force = flag(call.query, "force", False)
    client = await call.client()
    if by_force:
        forced = await client.purge_by_force(instance_id)
        if forced is None:
            raise InstanceNotFoundError(f"no instance has the id {instance_id!r}")
        return json_response(Purged(1, forced))
    try:
        purged = await client.purge(instance_id)
    except InstanceStateError as error:
        raise Refusal(412, "instance_running", str(error)) from error
    if not purged:
        raise InstanceNotFoundError(f"no instance has the id {instance_id!r}")
    return json_response(Purged(1))


async def purge_instances(call: Call) -> Response:
    """Delete the ended instances among those that match. Whatever the filter, a running one stays (P10)."""
    where = queries.instance_filter(call.query)
    if where.created_from is None:
        raise InvalidInputError("createdTimeFrom is missing; say from which time on instances are to be purged")
    client = await call.client()
    if where.created_to is None:
        where = msgspec.structs.replace(where, created_to=client.now)
    purged = await client.purge_matching(where)
    if not purged:
        raise Refusal(404, "nothing_purged", "no ended instance matches; nothing was purged")
    return json_response(Purged(purged))
