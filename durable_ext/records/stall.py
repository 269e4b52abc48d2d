"""A note that a process was ended because code of the app had blocked its event loop for too long."""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.journal import Journal
from durable_ext.records.messages import Message, RaiseEvent
from durable_ext.records.payloads import inline

# What the ids of journals begin with that hold such a note; those of processes are hexadecimal.
_PREFIX = "stalled-"


class Stall(msgspec.Struct, frozen=True, kw_only=True):
    """What ran meanwhile. `work`: the work item of an activity, or the operation of an entity; empty for the code of an
    orchestration. `place`: the line of the user's code, empty when no such line is known."""

    instance_id: str
    execution_id: str
    work: str = ""
    name: str = ""
    place: str = ""


_notes = msgspec.json.Decoder(Stall)


def journal_of(stall: Stall, process_id: str, time: datetime) -> Journal:
    """The note as the journal of a process that is no more."""
    body = RaiseEvent(name="durable.stalled", input=inline(msgspec.json.encode(stall)))
    journal_id = _PREFIX + process_id
    message = Message(id=journal_id, instance_id=stall.instance_id, body=body, sent_at=time)
    return Journal(process_id=journal_id, time=time, messages=(message,))


def is_note(journal: Journal) -> bool:
    """Whether a journal is such a note, and not what a process holds."""
    return journal.process_id.startswith(_PREFIX)


def stall_of(journal: Journal) -> Stall | None:
    """The stall that a note tells of; None when it cannot be read."""
    for message in journal.messages:
        if isinstance(message.body, RaiseEvent) and message.body.input.inline:
            try:
                return _notes.decode(message.body.input.data)
            except msgspec.DecodeError:
                return None
    return None
