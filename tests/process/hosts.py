"""Host processes to start, talk to, kill and interrupt."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import httpx

ROOT = Path(__file__).resolve().parents[2]
APP = ROOT / "function_app.py"
_HOST = (sys.executable, "-m", "durable_ext", "host")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def until(condition: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait for a condition, at most so long."""
    end = time.monotonic() + seconds
    nobody = threading.Event()
    while not condition():
        assert time.monotonic() < end, f"within {seconds} seconds: {what}"
        nobody.wait(0.005)


class Host:
    """`durable host` as a process of its own; started again after its end with the same arguments."""

    def __init__(
        self, folder: Path, *arguments: str, app: Path = APP, environ: Mapping[str, str] | None = None
    ) -> None:
        self.port = free_port()
        self.log = folder / "host.log"
        self._folder = folder
        self.arguments = ["--app", str(app), *arguments]
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("DURABLE_", "AzureWebJobs"))}
        self._environ = clean | {"PYTHONPATH": str(ROOT)} | dict(environ or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/durabletask"

    @property
    def process(self) -> subprocess.Popen[bytes]:
        assert self._process is not None
        return self._process

    def start(self) -> Self:
        """Start it, without waiting for anything."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*_HOST, *self.arguments, "--port", str(self.port)],
                cwd=self._folder,
                env=self._environ,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        return self

    def start_and_wait(self) -> Self:
        """Start it and wait until it serves."""
        running = self.said("Running;")
        self.start()
        self.wait_for_words("Running;", running + 1)
        return self

    def said(self, words: str) -> int:
        """How often the words are in its output, of all its starts."""
        return self.log.read_text(errors="replace").count(words) if self.log.exists() else 0

    def wait_for_words(self, words: str, times: int = 1, seconds: float = 30) -> None:
        def done() -> bool:
            assert self.process.poll() is None or self.said(words) >= times, self.output()
            return self.said(words) >= times

        until(done, seconds, f"{words!r} in {self.output()}")

    def wait_until_over(self, *instance_ids: str, seconds: float = 60) -> None:
        """Wait until these instances have ended."""
        over = ("Completed", "Failed", "Terminated")

        def done() -> bool:
            assert self.process.poll() is None, self.output()
            return all(status_of(self, one).get("runtimeStatus") in over for one in instance_ids)

        until(done, seconds, f"{instance_ids} have ended: {self.output()}")

    def output(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def runs_for(self, seconds: float) -> bool:
        """Let it run for so long; False when it ended before."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            return True
        return False

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def ends(self, seconds: float = 20) -> int:
        """Its exit code, once it has ended."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the host did not end in {seconds} seconds: {self.output()}") from None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.kill()


def post(url: str, body: Any, seconds: float = 10) -> int | None:
    """The status of the answer; None when nobody answered."""
    try:
        return httpx.post(url, json=body, timeout=seconds).status_code
    except httpx.TransportError:
        return None


def status_of(host: Host, instance_id: str) -> dict[str, Any]:
    """The status of an instance; empty when there is none or nobody answers."""
    try:
        response = httpx.get(f"{host.api}/instances/{instance_id}", timeout=10)
    except httpx.TransportError:
        return {}
    return response.json() if response.status_code in (200, 202) else {}
