"""The management API of Durable Functions as one ASGI app over the client (F3). Starlette is imported late (F4).

`create_app` makes the app. `links` and `history` need no web framework.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_ext.http_api.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    if name != "create_app":
        raise AttributeError(f"module 'durable_ext.http_api' has no attribute {name!r}")
    from durable_ext.http_api.app import create_app

    return create_app
