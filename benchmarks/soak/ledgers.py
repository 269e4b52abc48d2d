"""What entities were told in a soak is held against the plan: everything once, in order, and no lock is left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from benchmarks.soak.plan import Ending, Order
from durable_ext.records.instance import InstanceRow

# What each instance has told a ledger.
Told = Mapping[str, Sequence[int]]


class Ledger(NamedTuple):
    """A ledger at the end: what it was told by whom, and who holds its lock."""

    told: Told
    locked_by: str = ""


def ledger_faults(
    ledgers: Mapping[str, Ledger], orders: Sequence[Order], rows: Mapping[str, InstanceRow]
) -> Iterator[tuple[str, str]]:
    """What is wrong: the ledger or the instance it is about, and the words for it."""
    wanted = {
        order.id: (order.input["ledgers"], list(range(order.input["count"])))
        for order in orders
        if order.kind == "tell" and order.id in rows and rows[order.id].status.value == Ending.RETURNS.value
    }
    for name, ledger in ledgers.items():
        if ledger.locked_by:
            yield name, f"it is locked by {ledger.locked_by}"
        for instance_id in ledger.told.keys() - wanted.keys() - rows.keys():
            yield name, f"{instance_id}, which is not there, has told it {ledger.told[instance_id]}"
    for instance_id, (names, numbers) in wanted.items():
        for name in names:
            ledger = ledgers.get(name)
            told = [] if ledger is None else list(ledger.told.get(instance_id, ()))
            if told != numbers:
                yield instance_id, f"it told {name} {numbers}, which knows {told}"
