"""The stores the pages are tried on."""

from __future__ import annotations

from durable_ext.providers.sqlite.provider import SqliteProvider

from .hub import Store


async def memory_store() -> Store:
    ...
