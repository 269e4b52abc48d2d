"""The fixtures of this folder."""

from __future__ import annotations

from .sources import sources

__all__ = ["sources"]
