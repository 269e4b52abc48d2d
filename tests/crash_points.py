"""`make crash-points`: every scenario, world and way, stopped at every call, counted in a table (T3).

(a) the provider's verbs over SQLite, (b) single storage calls over the storage double. Ends with 1 when a point was
not survived.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from time import monotonic

import msgspec

from durable_ext.testing.crash_points import CrashReport, Plans, try_points
from durable_ext.testing.scenario import WAYS, WORLDS, StoreName, World
from tests.scenarios.workloads import LONG, SCENARIOS

_WHAT: dict[StoreName, str] = {"sqlite": "provider verbs over SQLite", "azure": "storage calls over the double"}
_BAR = 40


class Part(msgspec.Struct, frozen=True):
    """What one process of the pool tries at once."""

    store: StoreName
    scenario: str
    world: World


def parts(wanted: Sequence[str]) -> list[Part]:
    """All that is to be tried; the scenarios with those names, all without any."""
    tried: dict[StoreName, Iterable[str]] = {"sqlite": SCENARIOS, "azure": [*SCENARIOS, *LONG]}
    return [
        Part(store, name, world)
        for store, names in tried.items()
        for name in names
        for world in WORLDS
        if not wanted or name in wanted
    ]


def try_part(part: Part) -> CrashReport:
    """One part, in all ways."""
    scenario = (SCENARIOS | LONG)[part.scenario]
    return try_points(scenario, Plans(store=part.store, worlds=(part.world,), ways=tuple(WAYS)))


def try_all(wanted: list[Part], processes: int) -> dict[Part, CrashReport]:
    """Every part's report, from a pool of processes."""
    found: dict[Part, CrashReport] = {}
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, mp_context=context) as pool:
        running = {pool.submit(_try_part, part): part for part in wanted}
        for done in as_completed(running):
            found[running[done]] = msgspec.msgpack.decode(done.result(), type=CrashReport)
            _show(len(found), len(wanted), sum(report.points for report in found.values()))
    return found


def _try_part(part: Part) -> bytes:
    return msgspec.msgpack.encode(try_part(part))


def _show(done: int, all_: int, points: int) -> None:
    if not sys.stderr.isatty():
        return
    full = _BAR * done // all_
    end = "\n" if done == all_ else ""
    sys.stderr.write(f"\r[{'#' * full}{'.' * (_BAR - full)}] {done}/{all_}, {points} points{end}")
    sys.stderr.flush()


def table(found: dict[Part, CrashReport]) -> str:
    """What was tried, by store and scenario, and the sums.

    Calls: of the runs without faults. Recovery: how much later, in virtual time, the orchestration ended at worst.
    Waited: how long an instance waited for nothing at worst; more than two minutes is a failure.
    Runs: how often one call of an activity ran at worst.
    """
    lines: list[str] = []
    for store, what in _WHAT.items():
        names = list(dict.fromkeys(part.scenario for part in found if part.store == store))
        if not names:
            continue
        lines += [
            what,
            f"  {'scenario':<28}{'calls':>8}{'points':>8}{'survived':>10}{'recovery':>10}{'waited':>9}{'runs':>6}",
        ]
        for name in sorted(names):
            reports = [report for part, report in found.items() if (part.store, part.scenario) == (store, name)]
            lines.append(f"  {name:<28}{_sums(reports)}")
        lines.append(f"  {'in all':<28}{_sums([report for part, report in found.items() if part.store == store])}")
    lines.append(f"{'total':<30}{_sums(found.values())}")
    return "\n".join(lines)


def _sums(reports: Iterable[CrashReport]) -> str:
    reports = list(reports)
    calls = sum(sum(report.storage_calls.values()) for report in reports)
    points, survived = sum(report.points for report in reports), sum(report.survived for report in reports)
    slowest = max(report.slowest for report in reports).total_seconds()
    waited = max(report.longest_wait for report in reports).total_seconds()
    runs = max((count for report in reports for count in report.activity_runs.values()), default=0)
    return f"{calls:>8}{points:>8}{survived:>10}{slowest:>8.0f} s{waited:>7.0f} s{runs:>6}"


def main(arguments: Sequence[str] | None = None) -> int:
    """0 when every point was survived."""
    parser = argparse.ArgumentParser(prog="make crash-points", description="Every crash point of every scenario.")
    parser.add_argument("scenarios", nargs="*", help="only these")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1, help="at once; default: all cores")
    options = parser.parse_args(arguments)
    unknown = set(options.scenarios) - {*SCENARIOS, *LONG}
    if unknown:
        parser.error(f"no scenario is called {', '.join(sorted(unknown))}; there are: {', '.join([*SCENARIOS, *LONG])}")
    began = monotonic()
    found = try_all(parts(options.scenarios), options.processes)
    ordered = dict(sorted(found.items(), key=lambda item: (item[0].store, item[0].scenario, item[0].world)))
    sys.stdout.write(table(ordered) + f"\n{monotonic() - began:.0f} seconds\n")
    lost = [report for report in ordered.values() if report.failures or report.unreached]
    for report in lost:
        sys.stdout.write(f"\n{report}\n")
    return 1 if lost else 0


if __name__ == "__main__":
    sys.exit(main())
