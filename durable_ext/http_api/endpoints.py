"""A route as data: what matching, the index and the OpenAPI document all read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from durable_ext.http_api.calls import Handler


@dataclass(frozen=True)
class Param:
    """A value of the query string or a header. `schema` is its JSON schema."""

    name: str
    schema: Mapping[str, object]
    text: str
    place: str = "query"
    required: bool = False


@dataclass(frozen=True)
class Answer:
    """What a status means. `shape` names a schema of the OpenAPI document; empty: no body."""

    text: str
    shape: str = ""


@dataclass(frozen=True)
class Endpoint:
    """A verb and a path below the base, `{name}` for one segment and `{name...}` for one or more.

    `body` says what a JSON body is for; empty: none is read. `uses_hub` is False for what needs no client.
    """

    method: str
    path: str
    handler: Handler
    summary: str
    answers: Mapping[int, Answer]
    params: Sequence[Param] = ()
    body: str = ""
    uses_hub: bool = True
    starts: bool = False

    @property
    def place(self) -> str:
        """The route as logs name it."""
        return f"{self.method} {self.path or '/'}"

    def match(self, path: Sequence[str]) -> dict[str, str] | None:
        """The parameters when the segments of a path fit. Literals are compared without case, as Functions does."""
        wanted = self.path.split("/") if self.path else []
        long = next((place for place, pattern in enumerate(wanted) if pattern.endswith("...}")), None)
        if long is not None and len(path) > len(wanted):
            after = long + 1 + len(path) - len(wanted)
            path = [*path[:long], "/".join(path[long:after]), *path[after:]]
        if len(path) != len(wanted):
            return None
        found: dict[str, str] = {}
        for pattern, segment in zip(wanted, path, strict=True):
            if pattern.startswith("{"):
                found[pattern.strip("{.}")] = segment
            elif pattern.lower() != segment.lower():
                return None
        return found
