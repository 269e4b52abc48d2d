"""A short soak with real processes: one is killed, storage restarts, everything is accounted for (P2 to P9)."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from benchmarks.soak.plan import Settings, make_plan
from benchmarks.soak.report import table, write_json
from benchmarks.soak.soak import soak

# The janitor comes every five seconds: every minute, it would decide how long this takes.
SETTINGS = Settings(
    minutes=0.2, seed=5, rate=6, kill_every=9, azurite_restarts=1, down=2, lease=2, tidy="*/5 * * * * *", patience=60
)


@pytest.mark.process
@pytest.mark.azurite
def test_nothing_is_lost_and_nothing_doubled(tmp_path: Path) -> None:
    plan = make_plan(SETTINGS)
    assert (len(plan.kills), len(plan.outages)) == (1, 1)
    outcome = asyncio.run(soak(SETTINGS, tmp_path / "soak"))
    text = table(outcome.figures, outcome.findings)
    print(text)  # noqa: T201 - shown when the test fails
    assert (outcome.figures["losses"], outcome.figures["duplicates"], outcome.findings) == (0, 0, [])
    assert outcome.is_clean
    assert (outcome.figures["kills"], len(outcome.figures["outages"])) == (1, 1)
    assert outcome.figures["accepted"] > 20
    assert outcome.figures["exit_codes"] == [0, 0, 0]
    assert "losses" in text
    write_json(tmp_path / "figures.json", outcome.figures, outcome.findings)
    assert b'"findings"' in (tmp_path / "figures.json").read_bytes()
