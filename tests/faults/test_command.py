"""`make crash-points`: what it tries, what it prints, and how it ends."""

from __future__ import annotations

from datetime import timedelta

import pytest

from durable_ext.testing.crash_points import CrashFailure, CrashReport
from tests import crash_points
from tests.crash_points import Part
from tests.scenarios.workloads import LONG, SCENARIOS


def report(*, survived: int, failures: tuple[CrashFailure, ...] = ()) -> CrashReport:
    return CrashReport(
        orchestrator="chain",
        output=3,
        points=10,
        survived=survived,
        unreached=0,
        untried=0,
        failures=failures,
        storage_calls={"append": 4},
        activity_runs={"add_one": 2},
        slowest=timedelta(seconds=31),
    )


def test_everything_is_tried() -> None:
    assert len(crash_points.parts([])) == 3 * (2 * len(SCENARIOS) + len(LONG))
    assert {part.world for part in crash_points.parts(["chain"])} == {"cached", "scratch", "doubled"}


def test_the_table_sums_up(capsys: pytest.CaptureFixture[str]) -> None:
    assert crash_points.main(["by queue", "--processes", "1"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    sums = [line for line in lines if line[:2] == ["in", "all"]]
    total = next(line for line in lines if line[0] == "total")
    assert [int(total[2]), int(total[3])] == [sum(int(line[place]) for line in sums) for place in (3, 4)]
    assert total[2] == total[3]


def test_a_point_that_is_lost_ends_it_with_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    failure = CrashFailure(point="sqlite cached after 2", call="append", wrong=("the output is 4, not 3",))
    found = {Part("sqlite", "chain", "cached"): report(survived=9, failures=(failure,))}
    monkeypatch.setattr(crash_points, "try_all", lambda wanted, processes: found)  # pyright: ignore[reportUnknownLambdaType, reportUnknownArgumentType]
    assert crash_points.main([]) == 1
    printed = capsys.readouterr().out
    assert "not survived at append, point 'sqlite cached after 2':\n    the output is 4, not 3" in printed


def test_an_unknown_scenario_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        crash_points.main(["chian"])
    assert "no scenario is called chian" in capsys.readouterr().err
