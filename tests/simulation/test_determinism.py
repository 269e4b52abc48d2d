"""One case is one run: the same trace each time, in any process, whatever hashes and addresses are."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from durable_ext.testing.simulation.load import case_of
from durable_ext.testing.simulation.world import play

SEEDS = (3, 11, 24)
_PRINT = """
import logging
logging.disable(logging.CRITICAL)
from durable_ext.testing.simulation import case_of, play
print(*[play(case_of(seed)).digest for seed in {seeds}])
"""


def _digests_elsewhere(hash_seed: str) -> list[str]:
    done = subprocess.run(
        [sys.executable, "-c", _PRINT.format(seeds=SEEDS)],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return done.stdout.split()


def test_a_seed_has_one_trace() -> None:
    here = [play(case_of(seed)).digest for seed in SEEDS]
    assert len(set(here)) == len(SEEDS)
    assert _digests_elsewhere("1") == here
    assert _digests_elsewhere("2") == here


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_that_were_drawn_can_be_given(seed: int) -> None:
    case = case_of(seed)
    drawn = play(case)
    given = play(msgspec.structs.replace(case, faults=drawn.drawn))
    assert given.digest == drawn.digest
    assert given.drawn == drawn.drawn


def test_a_trace_can_be_read() -> None:
    trace = play(case_of(3), keep_trace=True).trace
    assert any(" 0.0 0 " in line for line in trace)
    assert trace == play(case_of(3), keep_trace=True).trace
