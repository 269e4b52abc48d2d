"""Life-cycle events: what a whole hub tells the outside when its orchestrations begin and end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from durable_ext.records.instance import RuntimeStatus

# The statuses that are published.
PUBLISHED = frozenset({RuntimeStatus.RUNNING, RuntimeStatus.COMPLETED, RuntimeStatus.FAILED, RuntimeStatus.TERMINATED})


class LifecycleEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An orchestration has this status now.

    `id` is derived from the change: an event that is published again has the same one, and a subscriber drops it.
    `name` is that of the orchestrator, `time` (aware UTC) that of the turn. `reason` is why it failed, or the reason
    that was given when it was terminated; empty otherwise.
    """

    id: str
    hub: str
    name: str
    instance_id: str
    status: RuntimeStatus
    time: datetime
    reason: str = ""


class LifecyclePublisher(Protocol):
    """Sends events somewhere, in the background: no turn waits for it."""

    async def publish(self, events: Sequence[LifecycleEvent]) -> None:
        """Send these events. What it raises is tried again, as often as the settings say, unless the error has a
        `retryable` that is False; then they are dropped, with a line in the log."""
        ...
