"""Every example of docs/client.md runs as it stands there, on a worker over SQLite."""

from __future__ import annotations

import asyncio

import pytest

from durable_ext.worker.client import Client

from .pages import fences, read
from .test_orchestrations import run_page

PAGE = "client.md"


def test_every_example_runs() -> None:
    asyncio.run(run_page([fence for fence in fences(PAGE) if fence.language == "python"]))


@pytest.mark.parametrize("name", ["rewind", "executions", "pages", "count", "get_many", "changes", "wait_for_start"])
def test_what_the_page_names_is_there(name: str) -> None:
    assert hasattr(Client, name)
    assert name in read(PAGE)
