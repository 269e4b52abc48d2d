"""One variant, one JSON line a workload on stdout: the form in which drivers of other engines print theirs.

`python -m benchmarks.driver --variant azurite --workloads W1,W4 --reps 3`
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence

from benchmarks.measuring import Plan, measure
from benchmarks.variants import VARIANTS
from benchmarks.workloads import SCALES, WORKLOADS


def workload_names(text: str) -> list[str]:
    """Names of workloads, separated by commas."""
    names = text.split(",")
    if unknown := set(names) - set(WORKLOADS):
        raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: choose from {', '.join(WORKLOADS)}")
    return names


def add_sizes(parser: argparse.ArgumentParser, reps: int) -> None:
    """The options that say what to run and how often."""
    parser.add_argument("--workloads", type=workload_names, default=list(WORKLOADS), help="such as W1,W4")
    parser.add_argument("--reps", type=int, default=reps)
    parser.add_argument("--scale", choices=SCALES, default="full")


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=VARIANTS, default="azurite")
    add_sizes(parser, reps=1)
    options = parser.parse_args(arguments)
    for row in measure(Plan([options.variant], options.workloads, options.reps, SCALES[options.scale])):
        print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
