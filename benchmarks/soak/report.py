"""The report: a table for people and JSON for programs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.soak.account import Finding
from benchmarks.soak.figures import Figures

_MOST_SHOWN = 40


def table(figures: Figures, findings: Sequence[Finding]) -> str:
    """One line a figure, then the findings."""
    lines = [f"{label:34}{text}" for label, text in _lines(figures)]
    if findings:
        kinds = Counter(finding.kind.value for finding in findings)
        lines += ["", "Findings: " + ", ".join(f"{count} {kind}" for kind, count in kinds.items())]
        lines += [f"  {finding.kind.value}: {finding.about}: {finding.text}" for finding in findings[:_MOST_SHOWN]]
        if len(findings) > _MOST_SHOWN:
            lines.append(f"  and {len(findings) - _MOST_SHOWN} more")
    return "\n".join(lines)


def _lines(figures: Figures) -> Iterator[tuple[str, str]]:
    settings = figures["settings"]
    yield "minutes, seed, starts a second", f"{settings['minutes']:g}, {settings['seed']}, {settings['rate']:g}"
    yield "instances", f"{figures['instances']} in {figures['turns']} turns"
    for kind, count in figures["by_kind"].items():
        yield f"  {kind}", str(count)
    reasons = ", ".join(f"{count} {reason}" for reason, count in figures["reasons"].items())
    yield "starts accepted", f"{figures['accepted']} of {figures['starts']}"
    yield (
        "starts refused, unanswered",
        f"{figures['refused']}, {figures['unanswered']}" + f" ({reasons})" * bool(reasons),
    )
    yield "operations of entities", str(figures["operations"])
    yield "activities, runs repeated", f"{figures['activities']}, {figures['runs_repeated']}"
    yield "kill -9, stalls", f"{figures['kills']}, {figures['stalls']}"
    yield "pauses, seconds", ", ".join(map(str, figures["pauses"])) or "none"
    yield "longest wait for nothing", f"{figures['longest_wait']:.1f} s ({figures['waited_longest']})"
    yield "Azurite restarts, seconds away", ", ".join(f"{seconds:g}" for seconds in figures["outages"]) or "none"
    yield "recovery after a kill", _recovery(figures)
    for name, held in figures["resources"].items():
        yield f"{name}", _held(held)
    yield "hosts ended by themselves", str(figures["hosts_ended_by_themselves"])
    yield "exit codes of the hosts", ", ".join(map(str, figures["exit_codes"]))
    yield "tracebacks in the hosts' logs", str(figures["tracebacks"])
    yield "at rest after the load, seconds", f"{figures['seconds_to_rest']:.0f}" if figures["rests"] else "NOT AT REST"
    yield "duplicates", str(figures["duplicates"])
    yield "losses", str(figures["losses"])


def _recovery(figures: Figures) -> str:
    if not figures["recoveries"]:
        return "no activity was under way in a killed process"
    named = (("p50", "recovery_p50"), ("p99", "recovery_p99"), ("most", "recovery_max"))
    times = ", ".join(f"{label} {figures[name]:.1f} s" for label, name in named)
    return f"{times} ({figures['recoveries']} activities)"


def _held(held: dict[str, Any]) -> str:
    if "seconds" not in held:
        return f"{held['resident']:g} MiB (median {held['median_resident']:g}), {held['files']} files"
    memory = " -> ".join(f"{value:g}" for value in held["resident"])
    return f"{memory} MiB, {' -> '.join(map(str, held['files']))} files, over {held['seconds']} s"


def write_json(file: Path, figures: Figures, findings: Sequence[Finding]) -> None:
    """All of it."""
    found = [{"kind": finding.kind.value, "about": finding.about, "text": finding.text} for finding in findings]
    file.write_bytes(msgspec.json.format(msgspec.json.encode({**figures, "findings": found}), indent=2) + b"\n")
