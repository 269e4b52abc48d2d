"""The harness runs, checks results, and prints rows that drivers of other engines can be put beside."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from benchmarks import __main__ as command
from benchmarks import driver, measuring, times
from benchmarks.workloads import SCALES, WORKLOADS, run_one

METRICS = {
    "W1": {"n", "seconds", "orch_per_s", "act_per_s", "p50_ms", "p95_ms"},
    "W1a": {"n", "seconds", "orch_per_s", "act_per_s", "p50_ms", "p95_ms"},
    "W2": {"n", "seconds", "act_per_s"},
    "W3": {"n", "seconds", "orch_per_s", "p50_ms", "p95_ms"},
    "W4": {"n", "seconds", "step_ms_mean", "step50_ms", "step_last_ms", "growth"},
}


def _row(variant: str, figure: float, foreign: float = 0.0) -> measuring.Row:
    return {"variant": variant, "workload": "W1", "orch_per_s": figure, "cpu": {"foreign_cores": foreign}}


def test_the_driver_prints_one_line_a_workload(capsys: pytest.CaptureFixture[str]) -> None:
    driver.main(["--variant", "memory", "--scale", "small", "--reps", "2"])
    rows: list[dict[str, Any]] = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(row["rep"], row["workload"]) for row in rows] == [(rep, name) for rep in (0, 1) for name in WORKLOADS]
    for row in rows:
        assert (row["peer"], row["variant"]) == ("durable_ext", "memory")
        assert set(row["cpu"]) == {"driver", "server", "foreign_cores"}
        assert row.keys() - {"peer", "variant", "workload", "rep", "cpu"} == METRICS[row["workload"]]


@pytest.mark.azurite
def test_both_limits_run_the_same_workloads() -> None:
    plan = measuring.Plan(["limit", "limit-lean", "azurite"], list(WORKLOADS), 1, SCALES["small"])
    rows = list(measuring.measure(plan))
    assert [(row["workload"], row["variant"]) for row in rows] == [
        (workload, variant) for workload in WORKLOADS for variant in plan.variants
    ]
    assert [row["peer"] for row in rows[:3]] == ["limit", "limit", "durable_ext"]


def test_a_wrong_result_is_no_measurement() -> None:
    class Wrong:
        async def result_of(self, name: str, value: int) -> object:
            return value + 1

    with pytest.raises(RuntimeError, match=r"hello\(1\) came to 2, expected 1"):
        asyncio.run(run_one(Wrong(), "hello", 1, 1))


def test_disturbed_rows_are_left_out_while_others_remain() -> None:
    rows = [_row("azurite", 100), _row("azurite", 10, foreign=0.5), _row("limit", 200, foreign=0.9)]
    assert times.median(rows, "azurite", "W1", "orch_per_s") == (100, True)
    assert times.median(rows, "limit", "W1", "orch_per_s") == (200, False)
    ours, limit = times.table(rows).splitlines()[1:3]
    assert "0.50" in ours
    assert not ours.endswith("*")
    assert limit.endswith("*")


def test_unknown_names_are_refused() -> None:
    for arguments in (["nothing"], ["--workloads", "W9"], ["--variants", "postgres"]):
        with pytest.raises(SystemExit):
            command.main(arguments)
