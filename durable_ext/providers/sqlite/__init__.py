"""The embedded default: one SQLite file, or memory. No dependency, and readable with the sqlite3 tool."""

from __future__ import annotations

from durable_ext.providers.sqlite.provider import SqliteProvider

__all__ = ["SqliteProvider"]
