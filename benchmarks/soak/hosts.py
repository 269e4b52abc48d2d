"""The host processes of a soak: started, killed, started again, and asked how much they hold."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
APP = Path(__file__).with_name("app.py")
RUNNING = "Running;"


@dataclass(frozen=True)
class Kill:
    """A process that was killed, at a time (seconds since the epoch)."""

    process_id: int
    time: float


@dataclass(frozen=True)
class Sample:
    """What a process held: seconds since its start, resident memory in MiB, open files and sockets."""

    name: str
    process_id: int
    age: float
    resident: float
    files: int


@dataclass
class Host:
    """`durable host` on a port of its own. Its output of all its lives is in one log."""

    number: int
    folder: Path
    environ: Mapping[str, str]
    arguments: Sequence[str]
    port: int = 0
    kills: list[Kill] = field(default_factory=list[Kill])
    exit_code: int | None = None
    is_paused: bool = False
    _process: subprocess.Popen[bytes] | None = None
    _stalls: Counter[int] = field(default_factory=Counter[int])

    def __post_init__(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]

    @property
    def name(self) -> str:
        return f"host {self.number}"

    @property
    def api(self) -> str:
        return f"http://127.0.0.1:{self.port}/api/durabletask"

    @property
    def log(self) -> Path:
        return self.folder / f"host-{self.number}.log"

    @property
    def process_id(self) -> int | None:
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it, without waiting."""
        command = [sys.executable, "-m", "durable_ext", "host", "--app", str(APP)]
        command += ["--port", str(self.port), *self.arguments]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                command, cwd=self.folder, env=dict(self.environ), stdout=log, stderr=subprocess.STDOUT
            )

    async def serves(self, seconds: float) -> None:
        """Wait until it serves for the first time. Raises TimeoutError."""
        async with asyncio.timeout(seconds):
            while RUNNING not in self.log.read_text(errors="replace"):  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    async def kill(self) -> None:
        """Kill it without warning and start it again at once."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        self.kills.append(Kill(process.pid, time.time()))
        await asyncio.to_thread(process.wait)
        self.start()

    async def stall(self, seconds: float) -> None:
        """Let it stand still, and then go on as if nothing had been, unless it is to stand still for something else."""
        process = self._process
        if process is None:
            return
        process.send_signal(signal.SIGSTOP)
        self._stalls[process.pid] += 1
        try:
            await asyncio.sleep(seconds)
        finally:
            self._stalls[process.pid] -= 1
            if not self._stalls[process.pid]:
                process.send_signal(signal.SIGCONT)

    async def pause(self, seconds: float) -> None:
        """The same for so long that whoever balances the load sends it nothing."""
        self.is_paused = True
        try:
            await self.stall(seconds)
        finally:
            self.is_paused = False

    async def stop(self, seconds: float = 30) -> None:
        """Let it drain; killed when it does not end in time."""
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(signal.SIGINT)
        try:
            self.exit_code = await asyncio.to_thread(process.wait, seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def ended_by_itself(self) -> bool:
        """Whether it is gone although nobody stopped it."""
        return self._process is not None and self._process.poll() is not None


def environment(connection: str, hub: str, settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a host: nothing of the caller's own settings is left in it."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("DURABLE_", "AzureWebJobs"))}
    storage = {"DURABLE_STORAGE": "azure", "DURABLE_HUB": hub, "AzureWebJobsStorage": connection}
    return kept | {"PYTHONPATH": str(ROOT)} | storage | dict(settings)


def sample(name: str, process_id: int | None) -> Sample | None:
    """What a process holds now; None when it is gone."""
    if process_id is None:
        return None
    try:
        process = psutil.Process(process_id)
        with process.oneshot():
            age = time.time() - process.create_time()
            return Sample(name, process_id, age, process.memory_info().rss / 2**20, process.num_fds())
    except (psutil.NoSuchProcess, psutil.AccessDenied):
        return None
