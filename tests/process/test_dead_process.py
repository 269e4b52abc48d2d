"""Two processes under a host that hides messages for ten minutes; one is killed with its hands full (F2).

A beat is a second here, so that "about a minute" becomes a few seconds. With DURABLE_EXT_BEAT=15 it is what an app has,
and the test says how long it takes (`pytest -s`).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

import pytest

from durable_ext.functions.settings import read_settings
from durable_ext.functions.storage import open_store
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client import Client

from .functions_process import READY
from .hosts import ROOT, until

pytestmark = pytest.mark.azurite

EACH = 4
KINDS = ("here", "by_queue", "after_event")
BEAT = int(os.environ.get("DURABLE_EXT_BEAT", "1"))
# Four beats without a sign, the look that notices, the activities again, on a machine that is busy.
RECOVERED_WITHIN = 40 + 6 * BEAT


class Functions:
    """A process of the app."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        self._log = (folder / f"process-{time.monotonic_ns()}.log").open("w+")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.process.functions_process"],
            cwd=ROOT,
            env={**os.environ, **environ, "PYTHONPATH": str(ROOT)},
            stdout=self._log,
            stderr=subprocess.STDOUT,
        )
        until(lambda: READY in self.output(), 30, f"the process serves; {self.output()}")

    def output(self) -> str:
        assert self._process.poll() is None, self._text()
        return self._text()

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._log.close()

    def _text(self) -> str:
        return Path(self._log.name).read_text()


def test_what_a_killed_process_held_goes_on_elsewhere(azurite: str, hub: str, tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.touch()
    environ = {
        "AzureWebJobsStorage": azurite,
        "DURABLE_HUB": hub,
        "DURABLE_PARTITIONS": "2",
        "DURABLE_HEARTBEAT": str(BEAT),
        "DURABLE_ACTIVITY_SLOTS": "32",
        "RUNS_FILE": str(runs),
    }
    names = [f"{kind}-{number}" for kind in KINDS for number in range(EACH)]
    first = Functions(tmp_path, environ)
    asyncio.run(_start(environ, names))
    until(lambda: len(set(runs.read_text().split())) == len(names), 30, "the first process has begun all")
    asyncio.run(_journal_has(environ, names))
    first.kill()
    begun = Counter(runs.read_text().split())
    killed_at = time.monotonic()
    second = Functions(tmp_path, environ)
    try:
        left = asyncio.run(_wait_until_over(environ, names))
        took = time.monotonic() - killed_at
        print(f"all went on and ended {took:.0f} seconds after the kill")  # noqa: T201 - on demand
        assert left == [], second.output()
    finally:
        second.kill()
    again = Counter(runs.read_text().split())
    assert all(1 <= again[name] <= begun[name] + 1 for name in names), again


async def _start(environ: Mapping[str, str], names: list[str]) -> None:
    store = open_store(read_settings(environ), environ)
    try:
        client = Client(store, store)
        for name in names:
            await client.start(name.rpartition("-")[0], instance_id=name)
        for name in names:
            if name.startswith("after_event"):
                await client.raise_event(name, "go", name)
    finally:
        await store.close()


async def _journal_has(environ: Mapping[str, str], names: list[str]) -> None:
    """Wait until the process has written down all that it holds."""
    store = open_store(read_settings(environ), environ)
    try:
        async with asyncio.timeout(10):
            held: set[str] = set()
            while not held >= set(names):
                journals = await store.journals()
                held = {message.instance_id for kept in journals for message in kept.journal.messages}
    finally:
        await store.close()


async def _wait_until_over(environ: Mapping[str, str], names: list[str]) -> list[str]:
    """The instances that are not completed within the time."""
    store = open_store(read_settings(environ), environ)
    try:
        client = Client(store, store)
        end = time.monotonic() + RECOVERED_WITHIN
        left: list[str] = []
        for name in names:
            try:
                status = await client.wait_for_completion(name, timedelta(seconds=max(0.1, end - time.monotonic())))
            except TimeoutError:
                left.append(name)
            else:
                assert status.runtime_status is RuntimeStatus.COMPLETED
        return left
    finally:
        await store.delete_hub()
        await store.close()
