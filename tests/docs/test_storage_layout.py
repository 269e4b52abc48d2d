"""Every query of docs/storage-layout.md, run as it stands there against a hub whose contents are known.

The reader is independent: Microsoft's SDK for Azure Storage, Python's sqlite3 for SQLite.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import re
import sqlite3
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from azure.data.tables import TableServiceClient

from . import filled
from .columns import PAGE, columns, kind_of, type_name
from .pages import Fence, fences, read
from .stores import azure_store, file_store


class FilledHub(NamedTuple):
    connection: str
    hub: str


def blocks(language: str) -> list[Fence]:
    return [fence for fence in fences(PAGE) if fence.language == language]


# Azure Storage


@pytest.fixture(scope="module")
def azure(azurite: str) -> FilledHub:
    hub = f"Docs{os.getpid()}"

    async def fill() -> None:
        store = azure_store(azurite, hub)
        try:
            await filled.fill(store)
        finally:
            await store.close()

    asyncio.run(fill())
    return FilledHub(azurite, hub)


@pytest.fixture(scope="module")
def answers(azure: FilledHub) -> dict[str, Any]:
    """The names of the page's Python, after all of it has run."""
    names: dict[str, Any] = {
        "connection": azure.connection,
        "hub": azure.hub,
        "instance_id": filled.COMPLETED,
        "large_instance_id": filled.LARGE,
    }
    for block in blocks("python"):
        exec(compile(block.text, f"{PAGE}:{block.line}", "exec", dont_inherit=True), names)  # noqa: S102
    return names


@pytest.mark.azurite
def test_instances_by_status(answers: dict[str, Any]) -> None:
    assert answers["running"] == [filled.WAITING]


@pytest.mark.azurite
def test_failed_in_the_last_day(answers: dict[str, Any]) -> None:
    assert list(answers["failed"]) == [filled.FAILED]
    assert filled.REASON in answers["failed"][filled.FAILED]


@pytest.mark.azurite
def test_history_of_one_instance(answers: dict[str, Any]) -> None:
    assert answers["history"] == filled.COMPLETED_HISTORY


@pytest.mark.azurite
def test_a_turn_in_a_blob(answers: dict[str, Any]) -> None:
    (row,) = answers["turns"].query_entities(f"PartitionKey eq '{filled.LONELY}'")
    assert (row["Events"], row["MessageIds"]) == ("", "")
    started, raised = answers["events_of"](row)
    assert (started["type"], raised["input"]["json"]) == ("ExecutionStarted", filled.WIDE)


@pytest.mark.azurite
def test_states_of_entities(answers: dict[str, Any]) -> None:
    assert answers["states"] == {str(filled.COUNTER): 1}


@pytest.mark.azurite
def test_event_types(answers: dict[str, Any]) -> None:
    assert dict(answers["event_types"]) == filled.EVENT_TYPES


@pytest.mark.azurite
def test_a_payload_in_a_blob(answers: dict[str, Any]) -> None:
    stored = answers["instances"].get_entity(filled.LARGE, "")["Output"]
    assert stored.startswith("http")
    assert answers["payload"] == filled.BIG


@pytest.mark.azurite
def test_the_columns_are_those_of_the_page(azure: FilledHub) -> None:
    with TableServiceClient.from_connection_string(azure.connection) as tables:
        found: set[str] = set()
        for table in ("Instances", "History"):
            for entity in read_table(tables, azure.hub + table, "PartitionKey ne ''"):
                kind = kind_of(entity, table)
                documented = columns(kind)
                assert {name: documented.get(name) for name in entity} == {
                    name: type_name(value) for name, value in entity.items()
                }
                found |= {f"{kind} {name}" for name in entity}
        assert {
            f"{kind} {name}" for kind in ("Claim", "Progress", "Process", "Withdrawal") for name in columns(kind)
        } <= found


def read_table(
    tables: TableServiceClient, table: str, where: str, select: list[str] | None = None
) -> list[dict[str, Any]]:
    # The SDK leaves its keyword arguments untyped.
    found: Iterable[Any] = tables.get_table_client(table).query_entities(where, select=select)  # pyright: ignore[reportUnknownMemberType]
    return [dict(entity) for entity in found]


# The Azure CLI: a stand-in takes its arguments down, and the filters run through the SDK.


def az_calls(block: Fence, azure: FilledHub, folder: Path, **names: str) -> list[list[str]]:
    """The arguments of each `az` of a block, as the shell hands them over."""
    taken = folder / "calls"
    stand_in = folder / "az"
    stand_in.write_text(f'#!/bin/sh\nprintf "%s\\0" "$@" >> "{taken}"\nprintf "\\n" >> "{taken}"\nexit 0\n')
    stand_in.chmod(0o755)
    subprocess.run(
        ["bash", "-euc", block.text],
        env=os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "hub": azure.hub} | names,
        check=True,
        cwd=folder,
    )
    return [line.split("\0")[:-1] for line in taken.read_text().splitlines()]


def options(call: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for word in call:
        if word.startswith("--"):
            found[word] = []
        elif found:
            found[list(found)[-1]].append(word)
    return found


def query_like_az(call: Sequence[str], azure: FilledHub) -> list[dict[str, Any]]:
    given = options(call)
    assert call[:3] == ["storage", "entity", "query"]
    with TableServiceClient.from_connection_string(azure.connection) as tables:
        return read_table(tables, given["--table-name"][0], given["--filter"][0], given["--select"])


@pytest.mark.azurite
@pytest.mark.skipif(sys.platform == "win32", reason="the page's shell is bash")
def test_the_filters_of_az(azure: FilledHub, tmp_path: Path) -> None:
    found: list[list[dict[str, Any]]] = []
    for number, block in enumerate(blocks("bash")[:4]):
        folder = tmp_path / str(number)
        folder.mkdir()
        calls = az_calls(block, azure, folder, instance_id=filled.COMPLETED)
        found += [query_like_az(call, azure) for call in calls]
    running, failed, history, processes = found
    assert [row["PartitionKey"] for row in running] == [filled.WAITING]
    assert [row["PartitionKey"] for row in failed] == [filled.FAILED]
    assert filled.REASON in failed[0]["Output"]
    assert [row["TurnNumber"] for row in history] == [0, 1]
    assert history[0]["EventTypes"] == "ExecutionStarted,TaskScheduled"
    held = {row["ProcessId"]: row["Messages"] for row in processes}
    assert json.loads(held[filled.PROCESS])["durable"]["items"][0]["id"] == "m1"
    assert held[filled.PROCESS + "-busy"] == ""


@pytest.mark.azurite
@pytest.mark.skipif(sys.platform == "win32", reason="the page's shell is bash")
def test_the_payload_of_az(azure: FilledHub, answers: dict[str, Any], tmp_path: Path) -> None:
    container = answers["blobs"]
    name = next(blob.name for blob in container.list_blobs(name_starts_with=f"{filled.LARGE}/"))
    # What the stand-in does not do: the file as it is in storage, packed.
    (tmp_path / "payload").write_bytes(gzip.compress(container.download_blob(name).readall()))
    (call,) = az_calls(blocks("bash")[4], azure, tmp_path, blob=name)
    given = options(call)
    assert (given["--container-name"], given["--name"]) == ([container.container_name], [name])
    assert json.loads((tmp_path / "payload.json").read_bytes()) == filled.BIG


# SQLite


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("hub") / "shop.db"

    async def fill() -> None:
        store = file_store(path)
        try:
            await filled.fill(store)
        finally:
            await store.close()

    asyncio.run(fill())
    return path


def sql(file: Path, beginning: str) -> list[tuple[Any, ...]]:
    """The rows of the page's query that stands behind the line that begins so."""
    text = read(PAGE)
    fence = next(block for block in blocks("sql") if text.splitlines()[block.line - 4].startswith(beginning))
    names = {"instance_id": filled.COMPLETED, "large_instance_id": filled.LARGE}
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        return connection.execute(fence.text, names).fetchall()
    finally:
        connection.close()


def test_sql_by_status(file: Path) -> None:
    assert sql(file, "Orchestrations by status") == [("Completed", 2), ("Failed", 1), ("Running", 1)]


def test_sql_failed_in_the_last_day(file: Path) -> None:
    ((instance_id, reason),) = sql(file, "Failed in the last day")
    assert instance_id == filled.FAILED
    assert filled.REASON in reason


def test_sql_history_of_one_instance(file: Path) -> None:
    assert sql(file, "One instance's history") == filled.COMPLETED_HISTORY


def test_sql_event_types(file: Path) -> None:
    assert dict(sql(file, "How often each type")) == filled.EVENT_TYPES


def test_sql_a_payload(file: Path) -> None:
    assert sql(file, "A payload") == [(filled.BIG,)]


def test_sql_what_processes_hold(file: Path) -> None:
    held = {process: count for process, _, count in sql(file, "What processes hold")}
    assert (held[filled.PROCESS], held[filled.PROCESS + "-busy"]) == (1, 2)


def test_sql_what_waits(file: Path) -> None:
    assert sql(file, "What waits") == []


def test_every_query_of_the_page_is_run() -> None:
    assert (len(blocks("python")), len(blocks("bash")), len(blocks("sql"))) == (7, 5, 7)


def test_the_tables_are_those_of_the_page(file: Path) -> None:
    connection = sqlite3.connect(f"file:{file}?mode=ro", uri=True)
    try:
        query = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        tables = {name for (name,) in connection.execute(query)}
    finally:
        connection.close()
    documented = re.search(r"^\| table \|.*?\n\n", read(PAGE), flags=re.MULTILINE | re.DOTALL)
    assert documented is not None
    assert set(re.findall(r"^\| `(\w+)`", documented[0], flags=re.MULTILINE)) == tables
