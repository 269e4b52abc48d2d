"""The history table: a log of turns. One insert commits a turn (P2); nothing is updated, only added and purged."""

from __future__ import annotations

from sqlite3 import Connection
from typing import Any

import msgspec

from durable_ext.errors import StorageError, TurnLostError
from durable_ext.providers.contract import Loaded
from durable_ext.providers.sqlite import instances
from durable_ext.providers.sqlite.times import time_of, time_text
from durable_ext.records.codec import DecodeError, decode_events, encode_events
from durable_ext.records.instance import Execution
from durable_ext.records.turns import Turn

_ids_encoder = msgspec.json.Encoder()
_ids_decoder = msgspec.json.Decoder(tuple[str, ...])

_TURN = "generation, execution_id, turn, time, trigger_id, commit_id, message_ids, events"

Columns = tuple[str, int, str, int, str, bool, str, str, str, str]


def columns_of(turn: Turn) -> Columns:
    """The columns of a turn, in the order of the insert below."""
    return (
        turn.execution.instance_id,
        turn.execution.generation,
        turn.execution.execution_id,
        turn.number,
        time_text(turn.time),
        turn.is_terminal,
        turn.trigger_id,
        turn.commit_id,
        _ids_encoder.encode(turn.message_ids).decode(),
        encode_events(turn.events).decode(),
    )


def append(db: Connection, columns: Columns) -> None:
    """Insert the turn. Raises TurnLostError when another is there, or when the execution was purged (P2, P10).

    The turn that is there may be our own, tried again after its answer was lost: the commit id tells (P13).
    """
    key = columns[:3]
    done = db.execute(
        "INSERT INTO history (instance_id, generation, execution_id, turn, time, terminal, trigger_id, commit_id,"
        " message_ids, events) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ? WHERE NOT EXISTS (SELECT 1 FROM tombstones"
        " WHERE instance_id = ? AND generation = ? AND execution_id = ?) ON CONFLICT DO NOTHING",
        (*columns, *key),
    )
    if done.rowcount == 1:
        return
    found = db.execute(
        "SELECT commit_id FROM history WHERE instance_id = ? AND generation = ? AND execution_id = ? AND turn = ?",
        columns[:4],
    ).fetchone()
    if found is None or found[0] != columns[7]:
        raise TurnLostError(f"turn {columns[3]} of instance {columns[0]!r} was committed by another process, or purged")


def load(db: Connection, instance_id: str) -> Loaded:
    """Row, turns of the current execution and purged executions, all as of one moment."""
    db.execute("BEGIN")
    try:
        stored = instances.read(db, instance_id)
        execution = _current(db, instance_id, None if stored is None else stored.row.execution)
        turns = () if execution is None else turns_of(db, execution)
        buried = db.execute("SELECT execution_id FROM tombstones WHERE instance_id = ?", (instance_id,)).fetchall()
    finally:
        db.execute("COMMIT")
    return Loaded(stored, turns, frozenset(row[0] for row in buried))


def current(db: Connection, instance_id: str) -> Execution | None:
    """The execution that the row names, else the newest that there is history of."""
    stored = instances.read(db, instance_id)
    return _current(db, instance_id, None) if stored is None else stored.row.execution


def _current(db: Connection, instance_id: str, known: Execution | None) -> Execution | None:
    """The newest generation with a turn 0, which may be newer than the row's (P8). In the row's own generation the
    row decides whose start won (P9), and an older one is over."""
    found = db.execute(
        "SELECT execution_id, generation FROM history WHERE instance_id = ? AND generation >= ? AND turn = 0"
        " ORDER BY generation DESC, execution_id",
        (instance_id, 0 if known is None else known.generation),
    )
    for execution_id, generation in found.fetchall():
        execution = Execution(instance_id=instance_id, execution_id=execution_id, generation=generation)
        if known is None or execution == known or generation > known.generation:
            return execution
    return None


def turns_of(db: Connection, execution: Execution) -> tuple[Turn, ...]:
    """The turns of one execution in order."""
    rows = db.execute(
        f"SELECT {_TURN} FROM history WHERE instance_id = ? AND generation = ? AND execution_id = ? ORDER BY turn",  # noqa: S608 - our own columns
        (execution.instance_id, execution.generation, execution.execution_id),
    )
    return tuple(_turn_of(execution.instance_id, row) for row in rows.fetchall())


def find(db: Connection, instance_id: str, execution_id: str, generation: int | None) -> tuple[Turn, ...]:
    """The turns of an execution named by its id alone; none without its turn 0 (P3)."""
    found = db.execute(
        "SELECT generation FROM history WHERE instance_id = ? AND execution_id = ? AND turn = 0"
        " AND generation = coalesce(?, generation)",
        (instance_id, execution_id, generation),
    ).fetchone()
    if found is None:
        return ()
    return turns_of(db, Execution(instance_id=instance_id, execution_id=execution_id, generation=found[0]))


def consumed(db: Connection, instance_id: str) -> frozenset[str]:
    """Ids of the messages that all kept executions consumed (P7)."""
    rows = db.execute(
        "SELECT message_ids FROM history AS log WHERE instance_id = ? AND EXISTS (SELECT 1 FROM history AS start"
        " WHERE start.instance_id = log.instance_id AND start.generation = log.generation"
        " AND start.execution_id = log.execution_id AND start.turn = 0)",
        (instance_id,),
    )
    return frozenset(message_id for row in rows.fetchall() for message_id in _ids_decoder.decode(row[0]))


def _turn_of(instance_id: str, row: tuple[Any, ...]) -> Turn:
    generation, execution_id, number, time, trigger_id, commit_id, message_ids, events = row
    try:
        events, message_ids = decode_events(events), _ids_decoder.decode(message_ids)
    except (DecodeError, UnicodeError) as error:
        raise StorageError(f"turn {number} of instance {instance_id!r} cannot be read: {error}") from error
    return Turn(
        execution=Execution(instance_id=instance_id, execution_id=execution_id, generation=generation),
        number=number,
        events=events,
        message_ids=message_ids,
        trigger_id=trigger_id,
        time=time_of(time),
        commit_id=commit_id,
    )
