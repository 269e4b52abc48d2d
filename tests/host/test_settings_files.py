"""local.settings.json, host.json and the choice of storage: what wins over what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from durable_ext.errors import ConfigurationError
from durable_ext.host.environment import LocalSettings, read_local_settings
from durable_ext.host.storage_choice import Chosen, StorageOptions, choose

PREFIX = "AzureFunctionsJobHost__extensions__http__routePrefix"


def write_settings(folder: Path, **values: Any) -> None:
    content = {"IsEncrypted": False, "Values": values, "Host": {"LocalHttpPort": 7073, "CORS": "*"}}
    (folder / "local.settings.json").write_text(json.dumps(content), encoding="utf-8")


def chosen(folder: Path, environ: dict[str, str], storage: str | None = None, **options: Any) -> Chosen:
    return choose(StorageOptions(app_file=folder / "function_app.py", storage=storage, **options), environ)


def test_without_anything_it_is_a_file_of_the_app(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    found = chosen(tmp_path, environ)
    assert found.file == tmp_path / ".durable" / "hub.sqlite"
    assert environ["DURABLE_STORAGE"] == f"sqlite:{found.file}"
    assert (found.local, found.azurite) == (LocalSettings(), None)


def test_local_settings_become_environment_and_what_is_set_wins(tmp_path: Path) -> None:
    write_settings(tmp_path, DURABLE_HUB="FromFile", DURABLE_PARTITIONS="2", Mine="file", Number=3, Flag=True)
    environ = {"DURABLE_HUB": "FromShell"}
    found = chosen(tmp_path, environ)
    assert (found.settings.hub, found.settings.partitions, found.local.port) == ("FromShell", 2, 7073)
    assert (environ["Mine"], environ["Number"], environ["Flag"]) == ("file", "3", "true")


def test_the_command_line_wins_over_all(tmp_path: Path) -> None:
    write_settings(tmp_path, DURABLE_STORAGE="azure", DURABLE_HUB="FromFile", DURABLE_PARTITIONS="2")
    environ = {"DURABLE_STORAGE": "azure", "DURABLE_HUB": "FromShell"}
    found = chosen(tmp_path, environ, storage=f"sqlite:{tmp_path}/x.db", hub="FromLine", partitions=7)
    assert (found.file, found.settings.hub, found.settings.partitions) == (tmp_path / "x.db", "FromLine", 7)
    assert environ["DURABLE_PARTITIONS"] == "7"


def test_a_relative_file_counts_from_where_it_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    assert chosen(tmp_path, {}, storage="sqlite:x.db").file == elsewhere / "x.db"
    write_settings(tmp_path, DURABLE_STORAGE="sqlite:x.db")
    assert chosen(tmp_path, {}).file == tmp_path / "x.db"


def test_in_memory(tmp_path: Path) -> None:
    environ: dict[str, str] = {}
    assert chosen(tmp_path, environ, storage="sqlite::memory:").file is None
    assert environ["DURABLE_STORAGE"] == "sqlite::memory:"


@pytest.mark.parametrize("setting", [True, False])
def test_azurite_is_azure_storage_for_the_app(tmp_path: Path, setting: bool) -> None:
    environ = {"DURABLE_STORAGE": "azurite"} if setting else {}
    found = chosen(tmp_path, environ, storage=None if setting else "Azurite")
    assert found.azurite == tmp_path / ".durable" / "azurite"
    assert environ["DURABLE_STORAGE"] == "azure"
    assert found.settings.sqlite_file is None


def test_own_queues_are_known(tmp_path: Path) -> None:
    found = chosen(tmp_path, {}, storage="azure", hub="Mine", partitions=1)
    assert found.queues == {
        *("mine-control-00", "mine-control-00-poison"),
        *("mine-workitems", "mine-workitems-poison"),
    }


@pytest.mark.parametrize("storage", ["nonsense", "azure:x", "azurite:x", "file.db"])
def test_an_unknown_storage_is_refused(tmp_path: Path, storage: str) -> None:
    with pytest.raises(ConfigurationError, match="azurite"):
        chosen(tmp_path, {}, storage=storage)


def test_host_json_gives_the_prefix_unless_it_is_set(tmp_path: Path) -> None:
    (tmp_path / "host.json").write_text('{"extensions": {"http": {"routePrefix": "v1"}}}', encoding="utf-8")
    environ: dict[str, str] = {}
    assert chosen(tmp_path, environ).settings.route_prefix == "v1"
    assert environ[PREFIX] == "v1"
    assert chosen(tmp_path, {PREFIX: ""}).settings.route_prefix == ""


def test_host_json_gives_the_versions_unless_they_are_set(tmp_path: Path) -> None:
    host = '{"extensions": {"durableTask": {"defaultVersion": "2.0", "versionMatchStrategy": "Strict"}}}'
    (tmp_path / "host.json").write_text(host, encoding="utf-8")
    before = "AzureFunctionsJobHost__extensions__durableTask__"
    environ: dict[str, str] = {}
    chosen(tmp_path, environ)
    assert (environ[before + "defaultVersion"], environ[before + "versionMatchStrategy"]) == ("2.0", "Strict")
    assert before + "versionFailureStrategy" not in environ
    environ = {before + "defaultVersion": "1.0"}
    chosen(tmp_path, environ)
    assert environ[before + "defaultVersion"] == "1.0"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{", "local.settings.json"),
        ("[]", "local.settings.json"),
        ('{"Values": {"a": {"b": 1}}}', "local.settings.json"),
        ('{"Host": {"LocalHttpPort": "x"}}', "local.settings.json"),
        ('{"IsEncrypted": true}', "decrypt"),
    ],
)
def test_a_wrong_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "local.settings.json").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=said):
        read_local_settings(tmp_path)


def test_a_byte_order_mark_is_taken(tmp_path: Path) -> None:
    (tmp_path / "local.settings.json").write_text('\ufeff{"Values": {"a": "b"}}', encoding="utf-8")
    assert read_local_settings(tmp_path).values == {"a": "b"}
