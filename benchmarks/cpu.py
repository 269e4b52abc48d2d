"""Processor time of this process, of the servers it started, and of everything else on the machine meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import psutil

# More than this much of a core spent elsewhere: the row is disturbed.
MOST_FOREIGN_CORES = 0.25


class CpuMeter:
    """Begins when it is made."""

    def __init__(self) -> None:
        self._began = time.perf_counter()
        self._start = _read()

    def delta(self) -> dict[str, float]:
        """Seconds of `driver` and `server` since then, and `foreign_cores`: cores' worth of time used by others."""
        seconds = max(1e-3, time.perf_counter() - self._began)
        driver, server, machine = (now - then for now, then in zip(_read(), self._start, strict=True))
        foreign = max(0.0, machine - driver - server) / seconds
        return {"driver": round(driver, 3), "server": round(server, 3), "foreign_cores": round(foreign, 3)}


def is_disturbed(row: Mapping[str, Any]) -> bool:
    """Whether others used the machine while the row was measured."""
    return row["cpu"]["foreign_cores"] > MOST_FOREIGN_CORES


def _read() -> tuple[float, float, float]:
    own = psutil.Process()
    server = 0.0
    for child in own.children(recursive=True):
        try:
            server += sum(child.cpu_times()[:2])
        except psutil.NoSuchProcess:
            continue
    machine = psutil.cpu_times()
    busy = machine.user + machine.system + getattr(machine, "nice", 0.0)
    busy += getattr(machine, "irq", 0.0) + getattr(machine, "softirq", 0.0)
    return sum(own.cpu_times()[:2]), server, busy
