"""One private Azurite for a whole test session, whoever asks first. Import the fixture in a conftest to use it."""

from __future__ import annotations

import atexit
import functools

import pytest

from durable_ext.host.azurite import Azurite


@functools.cache
def running() -> Azurite:
    """The emulator, started at the first call and stopped when the tests end."""
    server = Azurite()
    server.start()
    atexit.register(server.stop)
    return server


@pytest.fixture(scope="session")
def azurite() -> str:
    """The connection string of the session's Azurite. Take a hub of your own in it."""
    return running().connection_string
