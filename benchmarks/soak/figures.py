"""Figures of a soak: how much ran, how often, and how long instances of a killed process stood still."""

from __future__ import annotations

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.soak.account import DUPLICATES, Finding
from benchmarks.soak.chaos import Record
from benchmarks.soak.effects import BEGIN, Effect
from benchmarks.soak.evidence import Evidence
from benchmarks.soak.hosts import Host, Kill, Sample
from benchmarks.soak.load import Answer
from benchmarks.soak.plan import SPARED, Settings
from benchmarks.soak.waits import longest_wait
from durable_ext.records.events import TaskCompleted, TaskFailed

Figures = dict[str, Any]

_TRACEBACK = re.compile(r"^Traceback ", re.MULTILINE)
# By then a process has loaded and done everything once.
_WARM_SECONDS = 20.0


def figures(evidence: Evidence, findings: Sequence[Finding], hosts: Sequence[Host], record: Record) -> Figures:
    """What the table shows, under the names that the JSON has too."""
    recovery = sorted(recoveries(evidence, [kill for host in hosts for kill in host.kills]))
    begun = Counter(effect.key for effect in evidence.effects if effect.what == BEGIN)
    waited, who = longest_wait(evidence)
    answers = Counter(started.answer for started in evidence.started)
    return {
        "instances": len(evidence.rows),
        "by_kind": dict(sorted(Counter(row.name for row in evidence.rows.values()).items())),
        "starts": len(evidence.started),
        "accepted": answers[Answer.ACCEPTED],
        "refused": answers[Answer.REFUSED],
        "unanswered": answers[Answer.UNANSWERED],
        "reasons": dict(Counter(started.reason for started in evidence.started if started.reason)),
        "operations": sum(len(told) for ledger in evidence.ledgers.values() for told in ledger.told.values()),
        "turns": sum(len(turns) for logs in evidence.logs.values() for turns in logs),
        "activities": len(begun),
        "runs_repeated": begun.total() - len(begun),
        "kills": record.kills,
        "stalls": record.stalls,
        "pauses": [round(seconds) for seconds in record.pauses],
        "longest_wait": round(waited, 1),
        "waited_longest": who,
        "outages": [round(seconds, 1) for _, seconds in record.outages],
        "recoveries": len(recovery),
        "recovery_p50": quantile(recovery, 0.5),
        "recovery_p99": quantile(recovery, 0.99),
        "recovery_max": recovery[-1] if recovery else None,
        "losses": sum(finding.kind not in DUPLICATES for finding in findings),
        "duplicates": sum(finding.kind in DUPLICATES for finding in findings),
        "hosts_ended_by_themselves": len(record.ended),
        "exit_codes": [host.exit_code for host in hosts],
        "tracebacks": sum(len(_TRACEBACK.findall(_text(host.log))) for host in hosts),
        "resources": resources(record.samples),
    }


def recoveries(evidence: Evidence, kills: Sequence[Kill]) -> Iterator[float]:
    """For each activity that a killed process had begun: seconds from the kill to the turn that has its outcome."""
    outcomes = dict(_outcome_times(evidence))
    killed = {kill.process_id: kill.time for kill in kills}
    last: dict[str, Effect] = {}
    for effect in evidence.effects:
        at = killed.get(effect.process_id)
        if at is not None and effect.what == BEGIN and outcomes.get(effect.key, 0.0) > at:
            last[effect.key] = effect
    for key, effect in last.items():
        yield outcomes[key] - killed[effect.process_id]


def _outcome_times(evidence: Evidence) -> Iterator[tuple[str, float]]:
    for logs in evidence.logs.values():
        for turns in logs:
            for turn in turns:
                for event in turn.events:
                    if isinstance(event, TaskCompleted | TaskFailed):
                        yield f"{turn.execution.execution_id}-{event.task_id}", turn.time.timestamp()


def quantile(ordered: Sequence[float], share: float) -> float | None:
    """The value below which so much of an ordered sequence lies; None when there is none."""
    return round(ordered[max(0, math.ceil(len(ordered) * share) - 1)], 2) if ordered else None


def resources(samples: Sequence[Sample]) -> Figures:
    """Memory and open files: of the process of the spared host that lived longest, of Azurite, and the most of any."""
    found: Figures = {}
    for name in (f"host {SPARED}", "azurite"):
        lives: dict[int, list[Sample]] = {}
        for sample in samples:
            if sample.name == name:
                lives.setdefault(sample.process_id, []).append(sample)
        if lives:
            found[name] = _life(max(lives.values(), key=lambda life: life[-1].age))
    hosts = [sample for sample in samples if sample.name != "azurite"]
    if hosts:
        found["most of a host"] = {
            "resident": round(max(sample.resident for sample in hosts), 1),
            "files": max(sample.files for sample in hosts),
            "median_resident": round(statistics.median(sample.resident for sample in hosts), 1),
        }
    return found


def _life(samples: Sequence[Sample]) -> Figures:
    first = next((sample for sample in samples if sample.age >= _WARM_SECONDS), samples[-1])
    half, last = samples[len(samples) // 2], samples[-1]
    return {
        "seconds": round(last.age),
        "resident": [round(sample.resident, 1) for sample in (first, half, last)],
        "files": [sample.files for sample in (first, half, last)],
    }


def settings_of(settings: Settings) -> Figures:
    """The settings, for whoever wants to run the same again."""
    return {
        "minutes": settings.minutes,
        "seed": settings.seed,
        "rate": settings.rate,
        "hosts": settings.hosts,
        "kill_every": settings.kill_every,
        "stall_every": settings.stall_every,
        "pause_every": settings.pause_every,
        "lease": settings.lease,
        "max_attempts": settings.max_attempts,
    }


def _text(log: Path) -> str:
    return log.read_text(errors="replace") if log.exists() else ""
