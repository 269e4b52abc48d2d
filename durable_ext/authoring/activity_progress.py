"""What a caller sees of a running activity."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


class ActivityProgress(msgspec.Struct, frozen=True, kw_only=True):
    """What an activity said of its progress, and when (aware UTC). `progress` is a plain JSON value."""

    name: str
    task_id: int
    time: datetime
    progress: Any
