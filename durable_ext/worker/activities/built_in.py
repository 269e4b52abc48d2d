"""The activities that every worker has beside those of its app."""

from __future__ import annotations

from functools import cache

from durable_ext.authoring.http_calls import HTTP_ACTIVITY
from durable_ext.authoring.registry import ActivityDefinition


@cache
def built_in(name: str) -> ActivityDefinition | None:
    """The activity of a reserved name; None for any other."""
    if name != HTTP_ACTIVITY:
        return None
    from durable_ext.outbound.http_activity import send_request

    return ActivityDefinition(HTTP_ACTIVITY, send_request)
