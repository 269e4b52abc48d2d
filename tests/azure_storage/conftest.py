"""The session's Azurite."""

from __future__ import annotations

from ..azurite_server import azurite

__all__ = ["azurite"]
