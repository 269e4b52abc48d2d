"""Events of the values that an instance keeps under keys: its decisions, and what goes with it when it starts over."""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.payloads import Payload
from durable_ext.records.recorded import Recorded


class KeptValue(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel"):
    """A value, and the time of the turn that set it (aware UTC)."""

    value: Payload
    set_at: datetime


class ValueSet(Recorded, frozen=True, kw_only=True, tag=True):
    """Keep a value under a key, in the place of what was there."""

    key: str
    value: Payload


class ValueCleared(Recorded, frozen=True, kw_only=True, tag=True):
    """Keep nothing under a key any more."""

    key: str


class ValuesCleared(Recorded, frozen=True, kw_only=True, tag=True):
    """Keep nothing under any key any more."""


ValueDecision = ValueSet | ValueCleared | ValuesCleared


def enter(values: dict[str, KeptValue], event: ValueDecision, time: datetime) -> None:
    """What is kept after a decision that was made at this time."""
    match event:
        case ValueSet():
            values[event.key] = KeptValue(value=event.value, set_at=time)
        case ValueCleared():
            values.pop(event.key, None)
        case ValuesCleared():
            values.clear()
