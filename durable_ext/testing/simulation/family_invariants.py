"""What must hold of children when all is quiet: a termination reaches all of them, or none, as it was ordered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta

from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.testing.simulation.entity_invariants import Instance

# The news of a termination has come everywhere by then, whatever is wrong.
_UNTIL_TOLD = timedelta(hours=2)


def wrong_families(instances: Sequence[Instance]) -> Iterator[str]:
    """All that is wrong with the children among them."""
    known = {instance.id: instance for instance in instances}
    for child in instances:
        parent = _parent_of(child, known)
        if parent is None or parent.row.status is not RuntimeStatus.TERMINATED:
            continue
        recursive = _was_recursive(parent, known)
        terminated = child.row.status is RuntimeStatus.TERMINATED
        if recursive and not terminated and _outlived(child.row, parent.row):
            yield f"{child.id}: it went on although {parent.id} was terminated"
        if recursive is False and terminated:
            yield f"{child.id}: it was terminated, and its parent {parent.id} was to be alone"


def _parent_of(child: Instance, known: dict[str, Instance]) -> Instance | None:
    """The parent, unless it is another execution by now."""
    asked = child.row.parent
    parent = None if asked is None else known.get(asked.instance_id)
    if asked is None or parent is None or parent.row.execution.execution_id != asked.execution_id:
        return None
    return parent


def _was_recursive(instance: Instance, known: dict[str, Instance]) -> bool | None:
    """Whether the termination was to reach all below; None when nobody can say."""
    if instance.planned is None:
        # Nobody outside can name a child: it was terminated with its parent.
        parent = _parent_of(instance, known)
        return None if parent is None else True
    orders = {order.recursive for order in instance.planned.orders if order.kind == "terminate"}
    return orders.pop() if len(orders) == 1 else None


def _outlived(child: InstanceRow, parent: InstanceRow) -> bool:
    if child.completed_at is None or parent.completed_at is None:
        return False
    return child.completed_at > parent.completed_at + _UNTIL_TOLD
