"""Fixtures for tests of whatever room: the storage emulator, the name of a hub, an environment that stays as it is."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterator

import pytest

from .azurite_server import azurite

__all__ = ["azurite"]


@pytest.fixture
def hub() -> str:
    """The name of a task hub that no other test has."""
    return "Test" + uuid.uuid4().hex[:12]


@pytest.fixture(autouse=True)
def _environment_as_before() -> Iterator[None]:  # pyright: ignore[reportUnusedFunction] - pytest uses it
    """The command line leaves its choices in the environment, for the process that it would be; tests share one."""
    before = dict(os.environ)
    yield
    if dict(os.environ) != before:
        os.environ.clear()
        os.environ.update(before)
