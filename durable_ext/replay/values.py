"""A history to the values that its instance keeps."""

from __future__ import annotations

from collections.abc import Iterable

from durable_ext.records.events import ContinuedAsNew, ExecutionStarted
from durable_ext.records.turns import Turn, placed
from durable_ext.records.value_events import KeptValue, ValueDecision, enter


def values_of(turns: Iterable[Turn]) -> dict[str, KeptValue]:
    """What is kept after these turns, which are those of one execution from its first on."""
    values: dict[str, KeptValue] = {}
    for turn in turns:
        for _, event in placed(turn):
            if isinstance(event, ValueDecision):
                enter(values, event, turn.time)
            elif isinstance(event, ExecutionStarted | ContinuedAsNew):
                values = dict(event.values)
    return values
