"""`make bench`: counts of storage calls, times beside the limit of the design, long histories, entities, purges,
imports.

The exit code is 1 when a count is over its bar. Times depend on the machine: one over its promise is marked and fails
nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence

from benchmarks import calls, entities, events, imports, purging, replay, times
from benchmarks.driver import add_sizes
from benchmarks.measuring import Plan, Row, measure
from benchmarks.variants import VARIANTS
from benchmarks.workloads import SCALES
from durable_ext.host.azurite import Azurite

_PARTS = ("calls", "times", "replay", "entities", "events", "purge", "imports")


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    wanted = options.parts or _PARTS
    scale = SCALES[options.scale]
    code = 0
    if "calls" in wanted:
        code = _calls()
    if "times" in wanted:
        _times(Plan(options.variants, options.workloads, options.reps, scale), as_json=options.json)
    if "replay" in wanted:
        _title("Long histories")
        with Azurite() as server:
            print(*replay.figures(server.connection_string, scale), sep="\n")
    if "entities" in wanted:
        _title("One entity")
        with Azurite() as server:
            print(*entities.figures(server.connection_string, scale), sep="\n")
    if "events" in wanted:
        _title("Events")
        with Azurite() as server:
            print(*events.figures(server.connection_string, scale), sep="\n")
    if "purge" in wanted:
        _title("Purging")
        with Azurite() as server:
            print(*purging.figures(server.connection_string, scale), sep="\n")
    if "imports" in wanted:
        _title("Imports")
        print(*imports.report(), sep="\n")
    return code


def _calls() -> int:
    _title("Storage calls of one orchestration, from its start to its last delivery's end")
    with Azurite() as server:
        tallies = asyncio.run(calls.count_all(server.connection_string, "BenchCalls"))
    bars = calls.bars_of(tallies)
    print(calls.table(tallies), calls.verdict(bars), sep="\n\n")
    return int(any(bar.is_broken for bar in bars))


def _times(plan: Plan, *, as_json: bool) -> None:
    _title("Workloads, variants in turn")
    rows: list[Row] = []
    for row in measure(plan):
        rows.append(row)
        if as_json:
            print(json.dumps(row), flush=True)
        elif sys.stderr.isatty():
            print(f"\r{len(rows)} rows", end="\r", file=sys.stderr, flush=True)
    print(times.table(rows))


def _title(text: str) -> None:
    print(f"\n{text}\n", flush=True)


def _variant_names(text: str) -> list[str]:
    names = text.split(",")
    if unknown := set(names) - set(VARIANTS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(VARIANTS)}")
    return names


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="part", help=f"any of {', '.join(_PARTS)}; all by default")
    parser.add_argument("--variants", type=_variant_names, default=list(VARIANTS), help="such as limit,azurite")
    parser.add_argument("--json", action="store_true", help="print every measured row as a line of JSON too")
    add_sizes(parser, reps=3)
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(_PARTS):
        parser.error(f"{', '.join(sorted(unknown))}: choose from {', '.join(_PARTS)}")
    return options


if __name__ == "__main__":
    sys.exit(main())
