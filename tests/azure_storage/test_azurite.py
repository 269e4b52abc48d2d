"""The emulator: private, found or installed, and gone afterwards."""

from __future__ import annotations

import asyncio
import shutil
import socket
from pathlib import Path

import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.host.azurite import Azurite, find_azurite
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.provider import AzureStorageProvider

from .samples import row


def _open_ports(connection: str) -> list[bool]:
    found: list[bool] = []
    for url in parse_connection_string(connection).endpoints.values():
        with socket.socket() as probe:
            found.append(probe.connect_ex(("127.0.0.1", int(url.split(":")[2].partition("/")[0]))) == 0)
    return found


@pytest.mark.azurite
def test_what_is_kept_at_a_location_is_there_at_the_next_start(tmp_path: Path) -> None:
    async def use(connection: str) -> bool:
        provider = AzureStorageProvider(connection, "KeptHub")
        await provider.create_hub()
        found = await provider.read_row("order-1")
        if found is None:
            await provider.create_row(row())
        await provider.close()
        return found is not None

    seen: list[bool] = []
    for _ in range(2):
        with Azurite(tmp_path) as server:
            assert _open_ports(server.connection_string) == [True] * 3
            connection = server.connection_string
            seen.append(asyncio.run(use(connection)))
        assert _open_ports(connection) == [False] * 3
        with pytest.raises(ConfigurationError, match="not running"):
            _ = server.connection_string
    assert seen == [False, True]


def test_a_named_script_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURITE_JS", "nowhere.js")
    with pytest.raises(ConfigurationError, match="AZURITE_JS"):
        find_azurite()


def test_the_named_script_is_used(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "azurite.js"
    script.touch()
    monkeypatch.setenv("AZURITE_JS", str(script))
    assert find_azurite() == script


def test_without_node_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(_: str) -> None:
        return None

    monkeypatch.setattr(shutil, "which", nothing)
    with pytest.raises(ConfigurationError, match="node is missing"):
        Azurite().start()
