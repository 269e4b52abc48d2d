"""The workloads as a table: medians, and next to each figure on the emulator its ratio to the limit of the design."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from benchmarks.cpu import is_disturbed
from benchmarks.measuring import Row
from benchmarks.variants import ON_AZURITE

# The metric that stands for a workload.
_FIGURES = {"W1": "orch_per_s", "W1a": "p50_ms", "W2": "seconds", "W3": "orch_per_s", "W4": "seconds"}
_LIMITS = ("limit", "limit-lean")


def table(rows: Sequence[Row]) -> str:
    """One line a workload and variant. A star: no undisturbed row was left, the figure is of disturbed ones."""
    lines = [f"{'':5}{'':13}{'':12}{'median':>10}" + "".join(f"{'/ ' + name:>14}" for name in _LIMITS)]
    for workload in dict.fromkeys(row["workload"] for row in rows):
        metric = _FIGURES[workload]
        for variant in dict.fromkeys(row["variant"] for row in rows):
            figure, is_clean = median(rows, variant, workload, metric)
            line = f"{workload:5}{variant:13}{metric:12}{figure:10.4g}"
            if variant in ON_AZURITE:
                line += "".join(_against(rows, (limit, workload, metric), figure) for limit in _LIMITS)
            lines.append(line.rstrip() + ("" if is_clean else " *"))
    disturbed = sum(map(is_disturbed, rows))
    return "\n".join([*lines, f"{disturbed} of {len(rows)} rows were disturbed by other programs (*)"])


def median(rows: Sequence[Row], variant: str, workload: str, metric: str) -> tuple[float, bool]:
    """The median over undisturbed rows and True, else over all of them and False; nan when there are none."""
    found = [row for row in rows if (row["variant"], row["workload"]) == (variant, workload)]
    clean = [row for row in found if not is_disturbed(row)]
    values = [float(row[metric]) for row in clean or found]
    return (statistics.median(values) if values else float("nan")), bool(clean)


def _against(rows: Sequence[Row], limit: tuple[str, str, str], figure: float) -> str:
    reached, _ = median(rows, *limit)
    return f"{figure / reached:14.2f}"
