"""One request on its way to its handler: what was asked, of which hub, and from where the answer's URLs start."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import Response

from durable_ext.http_api.bodies import read_json
from durable_ext.http_api.limits import HttpLimits
from durable_ext.http_api.links import management_urls
from durable_ext.http_api.room import Share
from durable_ext.records.ids import check_instance_id
from durable_ext.worker.client import Client

ClientSource = Callable[[], Awaitable[Client]]


@dataclass(frozen=True)
class Call:
    """`params` are the decoded parts of the path, `base_url` is the absolute URL the API is mounted at, `link_query`
    goes to every URL handed out. `share` is what the request holds of the room for all. `asks_keys`: whether callers
    need a key."""

    request: Request
    params: Mapping[str, str]
    base_url: str
    link_query: str
    client: ClientSource
    limits: HttpLimits
    share: Share
    asks_keys: bool = False

    @property
    def query(self) -> QueryParams:
        return self.request.query_params

    @property
    def instance_id(self) -> str:
        """The id in the path. Raises InvalidInputError for one that no instance can have."""
        return check_instance_id(self.params["id"])

    async def body(self) -> bytes:
        """The whole body, which is JSON or empty. Raises Refusal for one that is not taken."""
        return await read_json(self.request, self.limits, self.share)

    def urls(self, instance_id: str) -> dict[str, str]:
        """The management URLs of an instance."""
        return management_urls(self.base_url, instance_id, self.link_query)


Handler = Callable[[Call], Awaitable[Response]]


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """A value as JSON; msgspec.Raw goes out as it is."""
    return Response(msgspec.json.encode(value), status, headers, "application/json")


def accepted() -> Response:
    """202 without a body: the command is on its way."""
    return Response(status_code=202)
