"""Names of a hub's queues, as the triggers declare them (design section 5)."""

from __future__ import annotations


def control_queues(hub: str, partitions: int) -> tuple[str, ...]:
    """The control queues in the order of their partitions."""
    return tuple(f"{hub.lower()}-control-{number:02}" for number in range(partitions))


def work_queue(hub: str) -> str:
    """The queue of work items."""
    return f"{hub.lower()}-workitems"


def poison_queue(queue: str) -> str:
    """Where the host puts a message of the queue after its last attempt."""
    return f"{queue}-poison"
