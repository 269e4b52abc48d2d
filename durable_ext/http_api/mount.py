"""Where the API is mounted: which part of a request's path leads to it, and at which absolute URL that is.

The scope's path is the whole path. A server or a mount that stripped a prefix says so in `root_path`, which the path
may or may not still begin with; `prefix` is found at the start of what is left.
"""

from __future__ import annotations

import re
from urllib.parse import quote

from starlette.requests import Request

_HOST = re.compile(r"(?:[a-z0-9._~-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.IGNORECASE)


def split_path(path: str, root_path: str, prefix: str) -> tuple[str, str] | None:
    """The path of the mount, and the path below it; None when the path leads elsewhere. Case does not matter."""
    root = root_path.rstrip("/")
    below = _below(path, root)
    rest = path if below is None else below
    inner = _below(rest, prefix.rstrip("/"))
    if inner is not None:
        return root + rest[: len(rest) - len(inner)], inner
    return (root, rest) if root else None


def _below(path: str, prefix: str) -> str | None:
    rest = path[len(prefix) :]
    return rest if path[: len(prefix)].lower() == prefix.lower() and rest[:1] in ("", "/") else None


def segments(path: str) -> list[str]:
    """The segments of a path below the mount; a slash at the end makes no difference."""
    inner = path.removeprefix("/").removesuffix("/")
    return inner.split("/") if inner else []


def absolute_url(request: Request, path: str, *, forwarded: bool) -> str:
    """The URL of a path at the origin that the caller used; with `forwarded`, at the one its proxy tells of."""
    proto, host = request.scope.get("scheme", "http"), request.headers.get("host", "")
    if forwarded:
        proto = _first(request, "x-forwarded-proto").lower() or proto
        host = _first(request, "x-forwarded-host") or host
    if proto not in ("http", "https"):
        proto = "http"
    if not _HOST.fullmatch(host):
        host = _server(request)
    return f"{proto}://{host}{quote(path)}"


def _first(request: Request, name: str) -> str:
    # Each proxy appends its own; the first is what the caller used.
    return request.headers.get(name, "").partition(",")[0].strip()


def _server(request: Request) -> str:
    name, port = request.scope.get("server") or ("localhost", None)
    host = f"[{name}]" if ":" in name else name
    return host if port is None else f"{host}:{port}"
