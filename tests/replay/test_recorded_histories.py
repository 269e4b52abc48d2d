"""Histories of every released event shape, recorded once and never edited (T5).

A new shape gets a new file, and its digest a new line in SHA256SUMS; the files that are there stay as they are.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from durable_ext.records.events import Event, ExecutionStarted, ForInstance, Input
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import inline
from durable_ext.records.turns import Turn
from durable_ext.replay.entity_turn import LiveEntity, Operation, Outcome
from durable_ext.replay.fold import project
from durable_ext.replay.ledger import Ledger
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.turn import replay, run_turn

from .events import facts
from .recorded import registry

FOLDER = Path(__file__).parents[1] / "histories"
FILES = sorted(FOLDER.glob("*.json"))
# Entities have histories too; nothing of them is replayed.
ORCHESTRATIONS = [file for file in FILES if "entity" not in file.stem]
ENTITIES = [file for file in FILES if file not in ORCHESTRATIONS]


class History(msgspec.Struct, rename="camel"):
    """A file: who recorded it, the execution, its status at the end, and its turns as the codec writes them."""

    release: str
    status: str
    execution: Execution
    turns: tuple[Turn, ...]


def read(file: Path) -> History:
    return msgspec.json.decode(file.read_bytes(), type=History)


@pytest.mark.parametrize("file", ORCHESTRATIONS, ids=lambda file: file.stem)
def test_it_replays(file: Path) -> None:
    history = read(file)
    for cut in range(len(history.turns) + 1):
        app = registry()
        live = LiveExecution(history.execution, app, app.converter)
        replay(live, history.turns[:cut])
        live.drop()


@pytest.mark.parametrize("file", ENTITIES, ids=lambda file: file.stem)
def test_an_entity_is_restored(file: Path) -> None:
    """Its state, and what waits for its lock: a turn more makes of it what the file has."""
    history = read(file)
    *before, last = history.turns
    entity = LiveEntity(history.execution)
    for turn in before:
        first = turn.events[0]
        snapshot = first.input.data if isinstance(first, ExecutionStarted) and first.input is not None else None
        entity.restore(turn.events, snapshot)

    async def run(operation: Operation, _: int) -> Outcome:
        assert operation.state is not None
        return Outcome(state=inline(b"7"), result=operation.state)

    inputs = [event for event in last.events if isinstance(event, Input)]
    result = asyncio.run(entity.take_turn(inputs, last.time, run))
    assert facts(result.events) == facts(last.events)


@pytest.mark.parametrize("file", ORCHESTRATIONS, ids=lambda file: file.stem)
def test_it_comes_to_the_same_end(file: Path) -> None:
    """With the same values, so the recipes of ids, random numbers and times are the same too."""
    history = read(file)
    *before, last = history.turns
    app = registry()
    live = LiveExecution(history.execution, app, app.converter)
    replay(live, before)
    inputs = [event for event in last.events if isinstance(event, Input)]
    late = getattr(last.events[-1], "carried", ())[1:]  # of those carried, the first was there before
    assert facts(run_turn(live, [*inputs, *late], last.time).events) == facts(last.events)
    live.drop()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_it_folds_to_the_status_it_had(file: Path) -> None:
    history = read(file)
    row = project(None, history.turns)
    assert row is not None
    assert row.status == history.status


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_books_can_be_kept(file: Path) -> None:
    history = read(file)
    ledger = Ledger(history.execution)
    for turn in history.turns:
        ledger.record(turn)
        ledger.owed_under(turn.trigger_id)
    assert ledger.turns == len(history.turns)
    assert isinstance(ledger.started, ExecutionStarted)


def test_every_kind_of_event_is_among_them() -> None:
    kinds: set[type[Any]] = set()
    for file in FILES:
        for turn in read(file).turns:
            kinds |= {type(event) for event in turn.events}
            kinds |= {type(carried) for event in turn.events for carried in getattr(event, "carried", ())}
    assert kinds == set(get_args(Event))


def test_everything_that_can_be_carried_is_among_them() -> None:
    carried: set[type[Any]] = {
        type(item)
        for file in FILES
        for turn in read(file).turns
        for event in turn.events
        for item in getattr(event, "carried", ())
    }
    assert carried == set(get_args(ForInstance))


def test_nobody_edits_them() -> None:
    lines = (FOLDER / "SHA256SUMS").read_text().split()
    wanted = dict(zip(lines[1::2], lines[::2], strict=True))
    assert {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in FILES} == wanted


def test_this_build_still_writes_what_it_reads() -> None:
    """Every field of the files is a field of ours: none is dropped without notice."""
    for file in FILES:
        assert json.loads(msgspec.json.encode(read(file))) == json.loads(file.read_bytes())
