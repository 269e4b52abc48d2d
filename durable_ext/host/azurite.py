"""A private storage emulator for tests and the self-host: started on free loopback ports, stopped when done.

Found by the environment variable AZURITE_JS, else under tools/azurite of the repository or of the current folder,
where it is installed with `npm ci` when it is not there yet.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from types import TracebackType
from typing import Self

from durable_ext.errors import ConfigurationError, StorageUnavailableError
from durable_ext.providers.azure_storage.connection import DEVELOPMENT_ACCOUNT, DEVELOPMENT_KEY, SERVICES

_TOOL = Path("tools") / "azurite"
_SCRIPT = Path("node_modules") / "azurite" / "dist" / "src" / "azurite.js"
_STARTS = 3
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
# On disk it writes all its tables anew when it ends; killed meanwhile it would lose acknowledged writes.
_SAVE_SECONDS = 60.0
_INSTALL_SECONDS = 600.0
# Azurite's own five seconds would close connections that a client still means to use.
_KEEP_ALIVE_SECONDS = 60
# What Azurite's own process is given to do differently, and why.
_STARTER = Path(__file__).with_name("azurite_start.cjs")


class Azurite:
    """The emulator as a context manager. With a `location` it keeps its data there, else in memory.

    Started again after `stop` it listens on the same ports, where its clients look for it.
    """

    def __init__(self, location: Path | None = None) -> None:
        self._location = location
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: str | None = None
        self._ports: dict[str, int] = {}

    @property
    def connection_string(self) -> str:
        """How to reach it."""
        if self._process is None:
            raise ConfigurationError("Azurite is not running; use it in a with statement")
        endpoints = (
            f"{service.capitalize()}Endpoint=http://127.0.0.1:{port}/{DEVELOPMENT_ACCOUNT};"
            for service, port in self._ports.items()
        )
        account = f"AccountName={DEVELOPMENT_ACCOUNT};AccountKey={DEVELOPMENT_KEY};"
        return f"DefaultEndpointsProtocol=http;{account}{''.join(endpoints)}"

    @property
    def process_id(self) -> int | None:
        """Its process, None while it is not running."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start it and wait until it answers.

        Raises ConfigurationError when node or Azurite is missing, StorageUnavailableError when it does not come up.
        """
        node, script = _node(), find_azurite()
        self._folder = tempfile.mkdtemp(prefix="azurite-")
        known = self._ports
        for _ in range(_STARTS):
            # Free a moment ago; somebody may take one meanwhile, then the next start picks others.
            self._ports = known or dict(zip(SERVICES, _free_ports(len(SERVICES)), strict=True))
            self._launch(node, script)
            if self._wait_until_ready():
                return
            self._end()
        self.stop()
        raise StorageUnavailableError(f"Azurite did not come up in {_STARTS} starts")

    def stop(self) -> None:
        """Stop it. Repeatable."""
        self._end()
        folder, self._folder = self._folder, None
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _launch(self, node: str, script: Path) -> None:
        command = [
            node,
            str(_STARTER),
            str(script),
            "--silent",
            "--disableTelemetry",
            "--skipApiVersionCheck",
        ]
        command += ["--inMemoryPersistence"] if self._location is None else ["--location", str(self._location)]
        for service, port in self._ports.items():
            command += [f"--{service}Host", "127.0.0.1", f"--{service}Port", str(port)]
            command += [f"--{service}KeepAliveTimeout", str(_KEEP_ALIVE_SECONDS)]
        self._process = subprocess.Popen(  # noqa: S603 - our own arguments, no shell
            command,
            cwd=self._folder,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for the host, which still needs its storage to drain.
            start_new_session=True,
        )

    def _wait_until_ready(self) -> bool:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            if self._process is None or self._process.poll() is not None:
                return False
            if all(map(_answers, self._ports.values())):
                return True
            time.sleep(0.05)
        return False

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(_STOP_SECONDS if self._location is None else _SAVE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        finally:
            if process.stdin is not None:
                process.stdin.close()


def find_azurite() -> Path:
    """The script that starts Azurite, installed first if need be. Raises ConfigurationError."""
    if named := os.environ.get("AZURITE_JS"):
        if not Path(named).is_file():
            raise ConfigurationError("AZURITE_JS names no file; set it to azurite.js of an installed azurite")
        return Path(named)
    for root in (Path(__file__).resolve().parents[2], Path.cwd()):
        if (root / _TOOL / "package-lock.json").is_file():
            return _installed(root / _TOOL)
    raise ConfigurationError(
        "Azurite was not found: install it with `npm install azurite` and set AZURITE_JS to its dist/src/azurite.js"
    )


def _installed(folder: Path) -> Path:
    script = folder / _SCRIPT
    if script.is_file():
        return script
    npm = shutil.which("npm")
    if npm is None:
        raise ConfigurationError("npm is missing; install Node.js 20 or later to run the storage emulator")
    command = [npm, "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
    done = subprocess.run(  # noqa: S603 - our own arguments, no shell
        command, cwd=folder, capture_output=True, timeout=_INSTALL_SECONDS, check=False
    )
    if done.returncode != 0 or not script.is_file():
        output = done.stderr.decode(errors="replace")[-1000:]
        raise ConfigurationError(f"`npm ci` in {folder} failed; run it by hand. Its last words: {output}")
    return script


def _node() -> str:
    node = shutil.which("node")
    if node is None:
        raise ConfigurationError("node is missing; install Node.js 20 or later to run the storage emulator")
    return node


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [item.getsockname()[1] for item in sockets]
    for item in sockets:
        item.close()
    return ports


def _answers(port: int) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=2)
    try:
        connection.request("GET", "/")
        connection.getresponse().read()
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
    return True
