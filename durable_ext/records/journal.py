"""What a process holds, written down, so that others can go on with it as soon as the process is gone."""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.messages import Message


class Journal(msgspec.Struct, frozen=True, kw_only=True):
    """What one process holds: the messages of the deliveries it is dealing with (heartbeat by process).

    `time` is aware UTC, by the writer's clock.
    """

    process_id: str
    time: datetime
    messages: tuple[Message, ...]


class KeptJournal(msgspec.Struct, frozen=True):
    """A journal as it is stored, and the token that guards its replacement."""

    journal: Journal
    etag: str
