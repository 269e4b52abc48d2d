"""A queue message as it lies in its queue, for whoever looks at all of them without a call."""

from __future__ import annotations

from datetime import datetime

import msgspec


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """`received` so many times; to be received from `visible_at` on."""

    queue: str
    id: str
    body: str
    received: int
    visible_at: datetime
