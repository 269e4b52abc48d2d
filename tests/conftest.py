"""Fixtures for tests of whatever room that need the storage emulator."""

from __future__ import annotations

import uuid

import pytest

from .azurite_server import azurite

__all__ = ["azurite"]


@pytest.fixture
def hub() -> str:
    """The name of a task hub that no other test has."""
    return "Test" + uuid.uuid4().hex[:12]
