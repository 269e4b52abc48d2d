"""What the host says when it starts: its functions with their addresses, and lines to paste."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_ext.functions.local import LocalFunctions

# A sample of this repository, with something to decide: an input that it takes, and the event that it waits for.
_SAMPLE = "order_approval"
_SAMPLE_INPUT = {"number": "1", "lines": [{"article": "book", "quantity": 1, "price": "12.50"}]}
_SAMPLE_EVENT, _SAMPLE_DATA = "approval", {"approved": True, "by": "me"}


def describe_functions(functions: LocalFunctions, root: str) -> str:
    """The functions as `func start` lists them. `root` is the address with the route prefix."""
    lines = ["Functions:", ""]
    for http in functions.http:
        methods = ",".join(http.methods) if len(http.methods) < 5 else "any"
        lines += [f"        {http.name}: [{methods}] {root}/{http.route}", ""]
    lines += _triggers([(timer.name, f"timerTrigger {timer.schedule}") for timer in functions.timers])
    for title, names in (
        ("Orchestrators", functions.registry.orchestrators),
        ("Activities", functions.registry.activities),
    ):
        lines += [f"{title}: {', '.join(sorted(names)) or 'none'}"]
    return "\n".join(lines)


def describe_unserved(functions: LocalFunctions, own_queues: frozenset[str]) -> list[str]:
    """A line for each function that only the Functions host can call."""
    queues = [(queue.name, "queueTrigger") for queue in functions.queues if queue.queue_name not in own_queues]
    return [f"Not served here, because of its {kind}: {name}" for name, kind in (*queues, *functions.unserved)]


def curl_lines(orchestrators: Sequence[str], root: str, instance_id: str) -> str:
    """Lines to paste into a shell: start an instance, tell it something, look at it."""
    if not orchestrators:
        return ""
    sample = _SAMPLE in orchestrators
    name = _SAMPLE if sample else min(orchestrators)
    api = f"{root}/durabletask"
    lines = ["Try it:", "", _post(f"{api}/orchestrators/{name}/{instance_id}", _SAMPLE_INPUT if sample else None)]
    if sample:
        lines.append(_post(f"{api}/instances/{instance_id}/raiseEvent/{_SAMPLE_EVENT}", _SAMPLE_DATA))
    lines.append(f"  curl -s {api}/instances/{instance_id}")
    return "\n".join(lines)


def _post(url: str, body: Any) -> str:
    return f"  curl -s -X POST {url} -H 'content-type: application/json' -d '{json.dumps(body)}'"


def _triggers(triggers: Sequence[tuple[str, str]]) -> list[str]:
    return [line for name, kind in triggers for line in (f"        {name}: {kind}", "")]
