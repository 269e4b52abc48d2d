"""Runs the examples of a page as one module of a user's app, on a worker over SQLite."""

from __future__ import annotations

import asyncio
import sys
from types import ModuleType
from typing import Any

from durable_ext.functions import DurableBlueprint

from .hub import running
from .pages import fences
from .stores import memory_store
from .test_orchestrations import IMPORTS, compiled, run_block

_PATIENCE = 60


def run_as_module(page: str, name: str, **imports: Any) -> None:
    """Run every Python block of a page in a module of that name, which is loaded as long as they run."""
    module = ModuleType(name)
    sys.modules[name] = module
    try:
        asyncio.run(_run(page, module, imports))
    finally:
        del sys.modules[name]


async def _run(page: str, module: ModuleType, imports: dict[str, Any]) -> None:
    app = DurableBlueprint()
    store = memory_store()
    await store.create_hub()
    try:
        async with asyncio.timeout(_PATIENCE), running(store, app.registry) as worker:
            vars(module).update(IMPORTS | imports | {"app": app, "client": worker.client})
            blocks = [fence for fence in fences(page) if fence.language == "python"]
            assert blocks
            for block in blocks:
                await run_block(compiled(block), vars(module))
    finally:
        await store.close()
