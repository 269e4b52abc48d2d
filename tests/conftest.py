"""Fixtures for tests of whatever room that need the storage emulator."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session")
def azurite() -> Iterator[str]:
    """Connection string of a private storage emulator, started with the first test that asks for it."""
    from durable_ext.host.azurite import Azurite

    with Azurite() as emulator:
        yield emulator.connection_string


@pytest.fixture
def hub() -> str:
    """The name of a task hub that no other test has."""
    return "Test" + uuid.uuid4().hex[:12]
