"""A run that never ends is ended; whatever else runs on the machine does not count."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from durable_ext.testing.simulation.patience import PatienceError, at_most


def _goes_round() -> None:
    while True:
        pass


def test_what_goes_round_in_circles_is_ended() -> None:
    before = signal.getsignal(signal.SIGPROF)
    with pytest.raises(PatienceError, match="did not end"), at_most(0.02):
        _goes_round()
    assert signal.getsignal(signal.SIGPROF) is before


def test_what_waits_for_others_has_time() -> None:
    another = "import time; begun = time.process_time()\nwhile time.process_time() - begun < 0.05: pass"
    with at_most(0.04):
        subprocess.run([sys.executable, "-c", another], check=True)
