"""The URLs that manage an instance: what a start answers with, and what users' own HTTP functions hand out."""

from __future__ import annotations

from typing import cast
from urllib.parse import quote, urlencode

# Name of the URL in the payload, and its path and query below the instance. Braces are for the caller to fill in.
_TEMPLATES = {
    "statusQueryGetUri": ("", ""),
    "sendEventPostUri": ("/raiseEvent/{eventName}", ""),
    "terminatePostUri": ("/terminate", "reason={text}"),
    "purgeHistoryDeleteUri": ("", ""),
    "restartPostUri": ("/restart", ""),
    "suspendPostUri": ("/suspend", "reason={text}"),
    "resumePostUri": ("/resume", "reason={text}"),
}
_REWIND = {"rewindPostUri": ("/rewind", "reason={text}")}


def hub_query(hub: str, connection: str) -> str:
    """What Durable Functions puts into every URL. Callers append theirs with `&`, so there has to be a query.

    The management API ignores both: an app serves its own hub.
    """
    return urlencode({"taskHub": hub, "connection": connection})


def management_urls(base_url: str, instance_id: str, query: str = "", *, with_rewind: bool = False) -> dict[str, str]:
    """The check-status payload: the id, and the URLs below `base_url`, the absolute URL the API is mounted at.

    `query` (`code=...`, without a question mark, percent-encoded) goes to every URL. The id is percent-encoded.
    `with_rewind`: the one of rewind as well, which a start does not answer with. Raises TypeError for an id that is no
    text, a coroutine that nobody awaited for example.
    """
    if not isinstance(cast("object", instance_id), str):
        raise TypeError(
            f"an instance id is a text, not of type {type(instance_id).__qualname__}; starting an instance is awaited"
        )
    instance_url = f"{base_url.rstrip('/')}/instances/{quote(instance_id, safe='')}"
    extra = query.strip("?&")
    urls = {"id": instance_id}
    for name, (path, own_query) in (_TEMPLATES | (_REWIND if with_rewind else {})).items():
        whole_query = "&".join(part for part in (own_query, extra) if part)
        urls[name] = f"{instance_url}{path}{'?' if whole_query else ''}{whole_query}"
    return urls
