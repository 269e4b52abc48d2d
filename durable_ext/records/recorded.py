"""What all events have in common: frozen, tagged with their kind, camel-cased in JSON, defaults left out."""

from __future__ import annotations

import msgspec


class Recorded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, rename="camel", tag_field="type"):
    """A fact of a history."""
