"""The Bicep template as plain data. Expressions come as the names or trees that the parser makes."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from pycep import BicepParser

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "infra" / "main.bicep"


@cache
def parsed(text: str) -> dict[str, Any]:
    """The template with `parameters`, `variables`, `resources` and `outputs`. Raises on a syntax error."""
    return json.loads(json.dumps(BicepParser().parse(text=text), default=str))


def resources(text: str, kind: str) -> dict[str, dict[str, Any]]:
    """Symbolic name to the body of each resource of a type; a loop's body once."""
    found: dict[str, dict[str, Any]] = {}
    for name, resource in parsed(text)["resources"].items():
        if resource["type"] == kind:
            config = resource["config"]
            found[name] = config["config"] if "loop_type" in config else config
    return found


def the_resource(text: str, kind: str) -> dict[str, Any]:
    """The body of the one resource of a type."""
    (only,) = resources(text, kind).values()
    return only


def smallest(text: str, parameter: str) -> int:
    """The smallest value that a parameter takes; fails when it has no lower bound or a default below it."""
    declared = parsed(text)["parameters"][parameter]
    (bound,) = (item["argument"] for item in declared["decorators"] if item["type"] == "min_value")
    return min(int(bound), int(declared["default"]))
