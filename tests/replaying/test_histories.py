"""History files and the check for users' tests (durable_ext.testing.histories)."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError, InvalidInputError, NonDeterminismError, StorageError
from durable_ext.functions import DurableApp, DurableBlueprint
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.events import ExecutionSuspended
from durable_ext.records.turns import Turn
from durable_ext.testing.histories import (
    Finding,
    History,
    Verdict,
    check_history,
    check_replay,
    check_turns,
    fetch_history,
    history_files,
    read_history,
    save_history,
    write_history,
)
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.worker.client import Client

from ..replay.events import NOON, answer, raised, started
from ..replay.recorded import registry as recorded
from .hubs import Seeds, app_file, registry_in

FOLDER = Path(__file__).parents[1] / "histories"
FILES = history_files(FOLDER)
ACTIVITIES = FOLDER / "0.1-activities.json"


@pytest.fixture(autouse=True)
def no_trace() -> Iterator[None]:
    path, known = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - known:
        del sys.modules[name]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_recorded_histories_fit(file: Path) -> None:
    check_replay(recorded(), file)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_file_is_written_as_it_was_read(file: Path, tmp_path: Path) -> None:
    """The fixtures of the project are in the format of the files."""
    write_history(read_history(file), tmp_path / "again.json")
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(file.read_text())


async def changed(ctx: OrchestrationContext, order: dict[str, Any]) -> None:
    ctx.set_custom_status("other")
    await ctx.call_activity("ship", order["sku"])


def other(code: Any = changed) -> Registry:
    found = Registry()
    found.add_orchestrator(code, "place_order")
    return found


def test_a_change_is_an_error_with_its_line() -> None:
    with pytest.raises(NonDeterminismError, match=r"history has TaskScheduled\(0, reserve\)") as found:
        check_replay(other(), str(ACTIVITIES))
    assert found.value.source is not None
    assert (found.value.source.file, found.value.source.function) == (__file__, "changed")
    assert (found.value.actual, found.value.turn) == ("TaskScheduled(0, ship)", 0)


def test_apps_and_blueprints_are_taken() -> None:
    for app in (DurableApp(), DurableBlueprint()):
        app.orchestrator(name="place_order")(changed)
        assert check_history(app, read_history(ACTIVITIES)).verdict is Verdict.DIFFERS
    with pytest.raises(ConfigurationError, match="hand over a DurableApp"):
        check_replay("function_app.py", ACTIVITIES)


def test_an_orchestrator_the_app_does_not_have() -> None:
    with pytest.raises(InvalidInputError, match="no orchestrator of the app is called 'place_order'"):
        check_replay(Registry(), ACTIVITIES)


def verdict(history: History, turns: Sequence[Turn]) -> Finding:
    return check_turns(recorded(), history.execution, turns)


def test_damaged_histories() -> None:
    history = read_history(ACTIVITIES)
    first, second, *rest = history.turns
    foreign = msgspec.structs.replace(second, execution=msgspec.structs.replace(second.execution, execution_id="x"))
    headless = msgspec.structs.replace(first, events=(ExecutionSuspended(),))
    unstarted = msgspec.structs.replace(first, events=())
    for turns, reason in (
        ((), "no history"),
        ((first, *rest), "turn 1 is missing"),
        ((second, *rest), "turn 0 is missing"),
        ((first, foreign, *rest), "turn 1 belongs to another execution"),
        ((headless, second), "does not begin with its start"),
        ((unstarted, second), "does not begin with its start"),
    ):
        finding = verdict(history, turns)
        assert finding.verdict is Verdict.UNCHECKED
        assert reason in finding.reason
        assert isinstance(finding.error, InvalidInputError)
    assert verdict(history, history.turns).error is None


def test_a_payload_that_is_not_in_the_file(tmp_path: Path) -> None:
    text = ACTIVITIES.read_text().replace('"json": {', '"blob": "gone", "x": {', 1)
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(InvalidInputError, match="gone"):
        check_replay(recorded(), tmp_path / "h.json")


@pytest.mark.parametrize("text", ["", "[]", "{}", '[{"turn": 0, "events": []}]', '{"release": 1}'])
def test_what_is_no_history_file(text: str, tmp_path: Path) -> None:
    file = tmp_path / "h.json"
    file.write_text(text)
    with pytest.raises(InvalidInputError, match=r"is no history file: .*durable history ID --output FILE"):
        read_history(file)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match="cannot be read"):
        read_history(tmp_path / "h.json")
    with pytest.raises(InvalidInputError, match="no history file"):
        history_files(tmp_path)
    with pytest.raises(InvalidInputError, match="cannot be written"):
        write_history(read_history(ACTIVITIES), tmp_path / "nowhere" / "h.json")


def test_a_file_stands_alone(tmp_path: Path) -> None:
    """Every payload that was in a blob is in the file, and nothing of the hub is needed any more."""
    file = tmp_path / "long.json"
    registry = registry_in(app_file(tmp_path))

    async def save() -> None:
        store = AzureStorageProvider("", "Hub", 1, client=StorageDouble(lambda: NOON))
        await store.create_hub()
        seeds = Seeds(store, registry)  # pyright: ignore[reportArgumentType] - provider and catalog in one
        long = "x" * 100_000
        turns = await seeds.add("long", started(long, name="branch"), answer(0), raised("go", long))
        assert any("blob" in json.dumps(msgspec.to_builtins(turn)) for turn in turns)
        client = Client(store, store)
        await save_history(client, "long", file)
        await store.delete_hub()
        with pytest.raises((InvalidInputError, StorageError)):
            await fetch_history(client, "long")

    asyncio.run(save())
    assert '"blob"' not in file.read_text()
    assert read_history(file).status == "Completed"
    check_replay(registry, file)


def test_an_execution_before_the_current_one(tmp_path: Path) -> None:
    registry = registry_in(app_file(tmp_path))

    async def save() -> tuple[History, History]:
        store = AzureStorageProvider("", "Hub", 1, client=StorageDouble(lambda: NOON + timedelta(days=1)))
        await store.create_hub()
        seeds = Seeds(store, registry)  # pyright: ignore[reportArgumentType] - provider and catalog in one
        early = (raised("other"), raised("go", "z" * 100_000), raised("go", "w" * 100_000))
        await seeds.add("counted", started(0, name="count"), *early, answer(0), answer(0))
        client = Client(store, store)
        with pytest.raises(InvalidInputError, match="has no history yet"):
            await fetch_history(client, "nobody")
        with pytest.raises(InvalidInputError, match=r"has no history$"):
            await fetch_history(client, "counted", "nobody")
        return await fetch_history(client, "counted"), await fetch_history(client, "counted", "counted-e0")

    current, before = asyncio.run(save())
    assert (current.execution.generation, before.execution.generation) == (2, 0)
    assert "blob" not in msgspec.json.encode(before).decode(), "what is carried along is in the file too"
    for history in (current, before):
        assert check_history(registry, history).verdict is Verdict.OK
