"""A turn: new messages in, decisions out, one commit. History is a log of turns (design section 5)."""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.events import Event, Terminal
from durable_ext.records.instance import Execution


class Turn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One committed turn, or the one about to be.

    `message_ids` are the messages the turn consumed, `trigger_id` the message answerable for what the turn sends
    (P5), `commit_id` tells our own insert from somebody else's when a response was lost (P2).
    """

    execution: Execution
    number: int
    events: tuple[Event, ...]
    message_ids: tuple[str, ...]
    trigger_id: str
    time: datetime
    commit_id: str

    @property
    def is_terminal(self) -> bool:
        """Whether the execution ends with this turn. A terminal event is always the last one."""
        return bool(self.events) and isinstance(self.events[-1], Terminal)
