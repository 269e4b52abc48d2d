"""Stored histories as files, and the check that an app's code still fits them (R3, T5; docs/replay.md).

A file is one execution: JSON with its turns as the codec writes them and every payload in place, so that it stands
alone. Checking reads only; it runs orchestrators on recorded answers and no activity.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar, cast

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.errors import InvalidInputError, NonDeterminismError
from durable_ext.records.events import ExecutionStarted, Input
from durable_ext.records.failures import Failure
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import Execution
from durable_ext.records.parting import Parting
from durable_ext.records.payloads import Payload
from durable_ext.records.turns import Turn
from durable_ext.replay.fold import project
from durable_ext.replay.turn import replay
from durable_ext.replay.witness import Witness
from durable_ext.testing.harness_apps import app_of, registry_of

# The release of the event shapes; a newer build reads older ones.
RELEASE = "0.1"
_EXPORTED = ("*.jsonl", "*.jsonl.gz")
# A history with all its payloads; what unpacks to more was not written by an export.
_LONGEST_LINE = 1024 * 1024 * 1024

_Record = TypeVar("_Record", bound=msgspec.Struct)


class History(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One execution in a file: the release of its event shapes, its status at its end so far, and its turns."""

    release: str
    status: str
    execution: Execution
    turns: tuple[Turn, ...]


class Verdict(StrEnum):
    """What a check came to."""

    OK = "ok"
    DIFFERS = "differs"
    UNCHECKED = "cannot be checked"


class Finding(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """The verdict on one execution. `reason` says why when it is not OK; `parting` where the code differs."""

    verdict: Verdict
    instance_id: str
    execution_id: str = ""
    name: str = ""
    reason: str = ""
    parting: Parting | None = None

    @property
    def error(self) -> NonDeterminismError | InvalidInputError | None:
        """The error of a finding that is not OK."""
        match self.verdict:
            case Verdict.OK:
                return None
            case Verdict.DIFFERS:
                return NonDeterminismError(self.reason, self.parting)
            case Verdict.UNCHECKED:
                return InvalidInputError(f"instance {self.instance_id!r} cannot be checked: {self.reason}")


class HistoryReader(Protocol):
    """Where histories are: a client."""

    async def history(self, instance_id: str, execution_id: str | None = None) -> Sequence[Turn]:
        """The turns of one execution, by default the current one."""
        ...

    async def load_payload(self, payload: Payload) -> Payload:
        """The payload in place."""
        ...

    def load_failure(self, failure: Failure) -> Failure:
        """The failure as code gets it."""
        ...


def check_replay(app: Any, path: str | Path) -> None:
    """Replay a history file, or a file of an export, with the app's code; return when they fit.

    `app` is what a Harness takes: a DurableApp, a plain function app with a DurableBlueprint, a blueprint, a module or
    a Registry. Raises NonDeterminismError with the source line where they part, and InvalidInputError for a file that
    cannot be checked: no history, a damaged one, or one of an orchestrator that the app does not have.
    """
    for history in histories_of(path):
        error = check_history(app, history).error
        if error is not None:
            raise error


def check_history(app: Any, history: History) -> Finding:
    """The verdict on a history. Raises ConfigurationError for an app that is none."""
    return check_turns(registry_of(app_of(app)), history.execution, history.turns)


def check_turns(registry: Registry, execution: Execution, turns: Sequence[Turn]) -> Finding:
    """The verdict on the turns of one execution, their payloads in place."""
    name, damage = _start_of(turns), _damage(execution, turns)

    def found(verdict: Verdict, reason: str = "", parting: Parting | None = None) -> Finding:
        return Finding(
            verdict=verdict,
            instance_id=execution.instance_id,
            execution_id=execution.execution_id,
            name=name,
            reason=reason,
            parting=parting,
        )

    if damage:
        return found(Verdict.UNCHECKED, damage)
    if is_entity(execution.instance_id):  # its state is recorded; operations are not replayed
        return found(Verdict.OK)
    witness = Witness(execution, registry, registry.converter)
    try:
        replay(witness, turns)
    except NonDeterminismError as error:
        if not registry.knows_orchestrator(name):
            return found(Verdict.UNCHECKED, f"no orchestrator of the app is called {name!r}")
        return found(Verdict.DIFFERS, str(error), error.parting)
    finally:
        witness.drop()
    return found(Verdict.OK)


def read_history(path: str | Path) -> History:
    """A history file. Raises InvalidInputError when it cannot be read or is none."""
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror}") from error
    try:
        return msgspec.json.decode(data, type=History)
    except msgspec.DecodeError as error:
        raise InvalidInputError(
            f"{path} is no history file: {error}; write one with: durable history ID --output FILE"
        ) from error


def history_files(folder: str | Path) -> list[Path]:
    """The history files of a folder, `*.json`, and those of an export, in order of their names.

    Raises InvalidInputError when there are none.
    """
    found = sorted(path for pattern in ("*.json", *_EXPORTED) for path in Path(folder).glob(pattern))
    if not found:
        raise InvalidInputError(f"there is no history file (*.json, *.jsonl, *.jsonl.gz) in {folder}")
    return found


def read_export(path: str | Path) -> Iterator[History]:
    """The histories of a file of an export, one after the other. Raises InvalidInputError that names file and line."""
    path = Path(path)
    number = 0
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            while line := file.readline(_LONGEST_LINE + 1):
                number += 1
                if len(line) > _LONGEST_LINE:
                    raise InvalidInputError(f"{path}, line {number}, is over {_LONGEST_LINE} bytes and is not read")
                yield msgspec.json.decode(line, type=History)
    except (msgspec.DecodeError, zlib.error, EOFError) as error:
        raise InvalidInputError(f"{path}, line {number}, is no history: {error}") from error
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be read: {error.strerror or error}") from error


def histories_of(path: str | Path) -> Iterator[History]:
    """The histories of a file, whichever kind it is. Raises InvalidInputError."""
    if Path(path).name.endswith((".jsonl", ".jsonl.gz")):
        yield from read_export(path)
    else:
        yield read_history(path)


async def fetch_history(client: HistoryReader, instance_id: str, execution_id: str | None = None) -> History:
    """An execution from storage, by default the current one, with every payload in place.

    Raises InvalidInputError when there are no turns, and StorageError.
    """
    turns = await client.history(instance_id, execution_id)
    if not turns:
        raise InvalidInputError(f"instance {instance_id!r} has no history" + (" yet" if execution_id is None else ""))
    row = project(None, turns)
    return History(
        release=RELEASE,
        status="" if row is None else row.status.value,
        execution=turns[0].execution,
        turns=tuple([await _whole(client, turn) for turn in turns]),
    )


def write_history(history: History, path: str | Path) -> None:
    """Write a history file, indented, so that a change of it can be read. Raises InvalidInputError."""
    text = json.dumps(json.loads(msgspec.json.encode(history)), indent=1, ensure_ascii=False)
    try:
        Path(path).write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInputError(f"{path} cannot be written: {error.strerror}") from error


async def save_history(
    client: HistoryReader, instance_id: str, path: str | Path, execution_id: str | None = None
) -> None:
    """Fetch an execution and write its file. Raises InvalidInputError and StorageError."""
    write_history(await fetch_history(client, instance_id, execution_id), path)


async def with_answers(client: HistoryReader, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with the payloads a replay hands to code in place. Raises StorageError when one is gone."""
    return tuple([await _with_answers(client, turn) for turn in turns])


async def _with_answers(client: HistoryReader, turn: Turn) -> Turn:
    events = [await _whole(client, event) if isinstance(event, Input) else event for event in turn.events]
    return msgspec.structs.replace(turn, events=tuple(events))


def _start_of(turns: Sequence[Turn]) -> str:
    first = turns[0].events[0] if turns and turns[0].events else None
    return first.name if isinstance(first, ExecutionStarted) else ""


def _damage(execution: Execution, turns: Sequence[Turn]) -> str:
    """What is wrong with a history, or nothing."""
    if not turns:
        return "it has no history"
    for number, turn in enumerate(turns):
        if turn.number != number:
            return f"the history is damaged: turn {number} is missing"
        if turn.execution != execution:
            return f"the history is damaged: turn {number} belongs to another execution"
    if not _start_of(turns):
        return "the history is damaged: it does not begin with its start"
    missing = next((payload for turn in turns for payload in _payloads(turn) if not payload.inline), None)
    return "" if missing is None else f"the history is incomplete: it names blob {missing.blob!r} and has it not"


def _payloads(turn: Turn) -> Iterator[Payload]:
    """What a replay hands to code."""
    for event in turn.events:
        if isinstance(event, Input):
            fields = (getattr(event, name) for name in event.__struct_fields__)
            yield from (field for field in fields if isinstance(field, Payload))


async def _whole(client: HistoryReader, value: _Record) -> _Record:
    """The record with every payload in it, at whatever depth, in place."""
    changes: dict[str, Any] = {}
    for name in value.__struct_fields__:
        field = getattr(value, name)
        if isinstance(field, Payload):
            changes[name] = await client.load_payload(field)
        elif isinstance(field, Failure):
            changes[name] = client.load_failure(field)
        elif isinstance(field, tuple):
            items = cast("tuple[Any, ...]", field)
            changes[name] = tuple([await _whole(client, one) if _is_record(one) else one for one in items])
    return msgspec.structs.replace(value, **changes) if changes else value


def _is_record(value: Any) -> bool:
    return isinstance(value, msgspec.Struct)
