"""What all events have in common: frozen, tagged with their kind, camel-cased in JSON, defaults left out."""

from __future__ import annotations

import msgspec

from durable_ext.records.trace import TraceContext


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type"):
    """A fact of a history."""


class Traced(Recorded, frozen=True, kw_only=True):
    """An event that knows the span it belongs to: of an input the sender's, of a decision the one that made it.

    None while nobody traces. A replay does not compare it.
    """

    trace: TraceContext | None = None
