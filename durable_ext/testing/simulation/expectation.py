"""What a programme must come to, computed without any engine: plain functions over the same tree of nodes."""

from __future__ import annotations

from typing import Any, cast

import msgspec

from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing.simulation.case import Node, Planned

# A wait whose event comes about when its time is over may end either way.
EITHER = "either"


class Expected(msgspec.Struct, frozen=True, kw_only=True):
    """How an instance may end. `output` is matched where the status is Completed, `message` where it is Failed.

    `may_be_gone`: a rewind may come in the middle of a purge; it fails then, because its history is gone.
    """

    statuses: frozenset[RuntimeStatus]
    output: Any = None
    message: str = ""
    may_be_gone: bool = False


class Failing(Exception):
    """The programme fails with this message."""


def expected(planned: Planned) -> Expected:
    """How the instance may end, given what is ordered for it."""
    statuses = {RuntimeStatus.COMPLETED}
    output: Any = None
    message = ""
    try:
        output = value_of(planned.programme, events_of(planned))
    except Failing as failing:
        statuses, message = {RuntimeStatus.FAILED}, str(failing)
    if any(order.kind == "terminate" for order in planned.orders):
        statuses.add(RuntimeStatus.TERMINATED)
    may_be_gone = bool(planned.rewinds) and any(order.kind == "purge" for order in planned.orders)
    return Expected(statuses=frozenset(statuses), output=output, message=message, may_be_gone=may_be_gone)


def events_of(planned: Planned) -> dict[str, list[Any]]:
    """The values of its events, by name, in the order they are sent."""
    events: dict[str, list[Any]] = {}
    for order in planned.orders:
        if order.kind == "event" and order.value not in events.get(order.name, ()):
            events.setdefault(order.name, []).append(order.value)
    return events


def value_of(node: Node, events: dict[str, list[Any]]) -> Any:
    """What the node returns. Raises Failing."""
    match node["kind"]:
        case "chain" | "all":
            return [value_of(part, events) for part in node["parts"]]
        case "work":
            return _work(node)
        case "child":
            return _child(node, events)
        case "wait":
            return _wait(node, events)
        case "loop":
            values = _given(node, events)
            return values if node["ordered"] else sorted(values)
        case "race":
            return {EITHER: [value_of(node["part"], events), "late"]}
        case "fail":
            raise Failing(node["text"])
        case kind:
            return kind


def matches(wanted: Any, found: Any) -> bool:
    """Whether a result is the wanted one, or one of those wanted."""
    if isinstance(wanted, dict) and EITHER in wanted:
        return any(matches(choice, found) for choice in cast("dict[str, list[Any]]", wanted)[EITHER])
    if isinstance(wanted, list) and isinstance(found, list):
        pairs = zip(cast("list[Any]", wanted), cast("list[Any]", found), strict=False)
        return len(cast("list[Any]", wanted)) == len(cast("list[Any]", found)) and all(
            matches(one, other) for one, other in pairs
        )
    return wanted == found


def _work(node: Node) -> Any:
    if node.get("once"):
        # A second delivery, or a process that died in between, and nobody knows what came of it.
        unknown: Any = {"begun": node["value"]} if node["activity"] == "work_once" else {"failed": "it began before"}
        return {EITHER: [node["value"], unknown]}
    if node.get("fails"):
        return {"failed": node["fails"]}
    if node.get("fails_first", 0) >= node.get("attempts", 1):
        return {"failed": "not yet"}
    return node["value"]


def _child(node: Node, events: dict[str, list[Any]]) -> Any:
    try:
        return value_of(node["programme"], events)
    except Failing as failing:
        return {"failed": str(failing)}


def _wait(node: Node, events: dict[str, list[Any]]) -> Any:
    if node.get("racing"):
        return {EITHER: [["late"], node["values"]]}
    if node.get("never"):
        return ["late"] * node["count"]
    values = _given(node, events)
    return values if node["ordered"] else sorted(values)


def _given(node: Node, events: dict[str, list[Any]]) -> list[Any]:
    """Events come from outside, or from other instances, which the node then says itself."""
    return list(node["values"]) if "values" in node else events[node["name"]]
