"""The command: figures, exit codes, and what it says of a seed that fails."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from durable_ext.replay.ledger import Ledger
from durable_ext.testing.simulation.__main__ import main
from durable_ext.testing.simulation.case import from_text, to_text

from .samples import chain, eternal


def test_seeds_that_survive(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "4", "--first", "20", "--jobs", "1"]) == 0
    out, _ = capsys.readouterr()
    assert "seeds survived   4 of 4" in out
    for word in ("instances", "faults injected", "storage calls", "virtual time", "seconds"):
        assert word in out


def test_the_log_is_as_loud_as_before(capsys: pytest.CaptureFixture[str]) -> None:
    logger = logging.getLogger("durable_ext")
    level = logger.level
    assert main(["--seed", "12"]) == 0
    assert logger.level == level
    assert capsys.readouterr().out


def test_several_processes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seeds", "7", "--jobs", "2"]) == 0
    assert "seeds survived   7 of 7" in capsys.readouterr().out


def test_one_seed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--seed", "12"]) == 0
    assert "seeds survived   1 of 1" in capsys.readouterr().out


def test_a_seed_that_fails(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing(*_: Any) -> tuple[()]:
        return ()

    monkeypatch.setattr(Ledger, "owed_under", nothing)
    seed = next(seed for seed in range(200) if main(["--seed", str(seed)]) == 1)
    out, _ = capsys.readouterr()
    assert f"seed {seed} failed:" in out
    assert f"run it alone: python -m durable_ext.testing.simulation --seed {seed}" in out
    assert "shrunk in " in out
    assert "seeds survived   0 of 1" in out
    (text,) = [line.strip() for line in out.splitlines() if line.strip().startswith("{")]
    assert from_text(text).seed == seed


def test_a_case_in_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "case.json"
    file.write_text(to_text(eternal(1)))
    assert main(["--case", str(file)]) == 0
    assert "instances        1" in capsys.readouterr().out


def test_a_case_survives_its_writing() -> None:
    for case in (chain(3), eternal(4)):
        assert from_text(to_text(case)) == case


@pytest.mark.parametrize("arguments", [["--seeds", "0"], ["--jobs", "-1"], ["--seeds", "many"]])
def test_what_makes_no_sense_is_refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(arguments)
    assert "usage" in capsys.readouterr().err
