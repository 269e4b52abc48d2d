"""What each process holds: one row a process, a new one with each write, so that its number is its etag."""

from __future__ import annotations

import logging
from sqlite3 import Connection

from durable_ext.providers.sqlite.times import time_of, time_text
from durable_ext.records.codec import DecodeError, decode_messages, encode_messages
from durable_ext.records.journal import Journal, KeptJournal
from durable_ext.records.messages import Message

logger = logging.getLogger("durable_ext.sqlite")

Columns = tuple[str, str, str]


def columns_of(journal: Journal) -> Columns:
    """The columns of a journal, in the order of the insert below."""
    return journal.process_id, time_text(journal.time), encode_messages(journal.messages).decode()


def write(db: Connection, columns: Columns, replacing: str | None) -> bool:
    """Put the row in place of the one before, which must have the number to replace, if any is given.

    Done again it writes the newest content; a replacement done again finds another number (P13).
    """
    if replacing is not None:
        # As text: an etag that nobody gave out is the number of none.
        done = db.execute(
            "DELETE FROM journals WHERE process_id = ? AND CAST(number AS TEXT) = ?", (columns[0], replacing)
        )
        if done.rowcount != 1:
            return False
    db.execute("INSERT OR REPLACE INTO journals (process_id, time, messages) VALUES (?, ?, ?)", columns)
    return True


def delete(db: Connection, process_id: str) -> None:
    """Gone already is done (P13)."""
    db.execute("DELETE FROM journals WHERE process_id = ?", (process_id,))


def everyone(db: Connection) -> list[KeptJournal]:
    """The journals of all processes."""
    found = db.execute("SELECT process_id, time, messages, number FROM journals ORDER BY process_id")
    return [
        KeptJournal(
            Journal(process_id=process_id, time=time_of(time), messages=_messages(process_id, messages)), str(number)
        )
        for process_id, time, messages, number in found.fetchall()
    ]


def _messages(process_id: str, body: str) -> tuple[Message, ...]:
    """Empty when they cannot be read: they are in their queues as well."""
    try:
        messages = decode_messages(body)
    except DecodeError as error:
        logger.warning("the journal of process %s cannot be read: %s", process_id, error)
        return ()
    return () if isinstance(messages, str) else messages
