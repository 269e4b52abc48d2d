"""`durable host`: run the app of a folder in this process."""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import signal
import socket
import sys
import threading
import time
from datetime import timedelta
from types import FrameType
from typing import TYPE_CHECKING

from durable_ext.errors import ConfigurationError
from durable_ext.host.apps import load_app
from durable_ext.host.cli.options import Commands, add_storage_options, chosen_storage
from durable_ext.host.cli.terminal import harmless
from durable_ext.host.environment import DEFAULT_PORT
from durable_ext.host.exit_codes import ExitCode

if TYPE_CHECKING:
    from durable_ext.functions.local import LocalFunctions
    from durable_ext.host.host import Host, HostSettings
    from durable_ext.host.storage_choice import Chosen

logger = logging.getLogger("durable_ext.host")

_LOCALHOST = "127.0.0.1"
# Threads that have nothing to do need this long at most to notice that they may end.
_THREAD_PATIENCE = 1.0


def add_commands(commands: Commands) -> None:
    """Add the family's parser."""
    summary = "Run the app: its orchestrations, HTTP functions and timers."
    parser = commands.add_parser("host", help=summary, description=summary)
    parser.add_argument("--port", metavar="N", type=int, help=f"port to listen on (default: {DEFAULT_PORT}; 0: any)")
    parser.add_argument("--address", default=_LOCALHOST, help="address to listen on (default: %(default)s)")
    parser.add_argument("--lease", metavar="SECONDS", type=float, default=30, help="%(default)s; see docs/cli.md")
    parser.add_argument("--max-attempts", metavar="N", type=int, default=5, help="of a message (default: %(default)s)")
    parser.add_argument("--grace", metavar="SECONDS", type=float, default=10, help="to end after Ctrl-C (%(default)s)")
    parser.add_argument("--enable-auth", action="store_true", help="ask callers for a key; see docs/cli.md")
    parser.add_argument("--verbose", action="store_true", help="log more")
    add_storage_options(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run the app until it is stopped."""
    _log(verbose=options.verbose)
    chosen = chosen_storage(options)
    port = options.port if options.port is not None else chosen.local.port or DEFAULT_PORT
    _warn_if_open(options, chosen)
    _run_in_front(options, chosen, _listen(options.address, port))
    return ExitCode.OK


def _warn_if_open(options: argparse.Namespace, chosen: Chosen) -> None:
    from durable_ext.host.callers import is_loopback

    if is_loopback(options.address) or (options.enable_auth and chosen.settings.auth_level != "anonymous"):
        return
    cure = "set DURABLE_HTTP_AUTH_LEVEL to function" if options.enable_auth else "add --enable-auth"
    logger.warning(
        "%s is open to other machines and asks for no key: whoever reaches it may read, change and delete every"
        " instance; %s, or leave --address out",
        options.address,
        cure,
    )


def _listen(address: str, port: int) -> socket.socket:
    from durable_ext.host.server import listen

    listener = listen(address, port)
    shown = "localhost" if address in (_LOCALHOST, "0.0.0.0", "::") else address  # noqa: S104 - only compared
    origin = f"http://{shown}:{listener.getsockname()[1]}"
    os.environ.setdefault("DURABLE_BASE_URL", origin)
    return listener


def _run_in_front(options: argparse.Namespace, chosen: Chosen, listener: socket.socket) -> None:
    from durable_ext.host.storage import opened

    async def serve() -> None:
        stop = asyncio.Event()
        host = _make_host(options, chosen)
        _stop_on_signals(asyncio.get_running_loop(), stop)
        async with opened(chosen) as store:
            await host.run(store, listener, stop)

    asyncio.run(serve())
    _leave_threads()


def _make_host(options: argparse.Namespace, chosen: Chosen) -> Host:
    from durable_ext.functions.app import engine_of
    from durable_ext.functions.local import index
    from durable_ext.host.host import Host

    app = load_app(chosen.app_file)
    try:
        functions = index(app)
    except ValueError as error:
        raise ConfigurationError(f"the app's functions cannot be served: {error}") from error
    host = Host(engine_of(app), functions, _settings(options), _say)
    _introduce(functions, chosen)
    return host


def _settings(options: argparse.Namespace) -> HostSettings:
    from durable_ext.host.host import HostSettings
    from durable_ext.host.pump import PumpSettings
    from durable_ext.host.server import Keys

    pump = PumpSettings(lease=timedelta(seconds=options.lease))
    keys = None
    if options.enable_auth:
        keys = Keys(os.environ.get("DURABLE_EXT_FUNCTION_KEY", ""), os.environ.get("DURABLE_EXT_ADMIN_KEY", ""))
    return HostSettings(
        pump=pump,
        grace=timedelta(seconds=options.grace),
        keys=keys,
        address=options.address,
        max_attempts=options.max_attempts,
    )


def _introduce(functions: LocalFunctions, chosen: Chosen) -> None:
    from durable_ext.host.banner import curl_lines, describe_functions, describe_unserved

    root = "/".join(part for part in (os.environ["DURABLE_BASE_URL"], chosen.settings.route_prefix) if part)
    _say("")
    _say(describe_functions(functions, root))
    for line in describe_unserved(functions, chosen.queues):
        _say(line)
    _say(f"Storage: {chosen}")
    # An id that no earlier run has used, so that the lines work again.
    example = f"order-{time.strftime('%d%H%M%S')}"
    _say("")
    _say(curl_lines(tuple(functions.registry.orchestrators), root, example))
    _say("")


def _stop_on_signals(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    """The first signal drains, the second ends the process at once, even while user code blocks the loop."""
    signals = 0

    def stop_now_or_never(_number: int, _frame: FrameType | None) -> None:
        nonlocal signals
        signals += 1
        if signals > 1:
            os._exit(ExitCode.INTERRUPTED)
        loop.call_soon_threadsafe(stop.set)
        os.write(2, b"\nStopping: what is under way may end. Once more stops at once.\n")

    signal.signal(signal.SIGINT, stop_now_or_never)
    signal.signal(signal.SIGTERM, stop_now_or_never)


def _leave_threads() -> None:
    """A thread of the app that does not end would keep the process; its activity was given back already."""
    own = [thread for thread in threading.enumerate() if thread.name.startswith(("activity", "function"))]
    for thread in own:
        thread.join(_THREAD_PATIENCE / len(own))
    stuck = [thread.name for thread in own if thread.is_alive()]
    if stuck:
        _say(f"Leaving {len(stuck)} threads that have not ended: {', '.join(stuck)}")
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(ExitCode.OK)


def _log(*, verbose: bool) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(_Lines("[%(asctime)s.%(msecs)03dZ] %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.Formatter.converter = time.gmtime
    logging.getLogger("durable_ext").setLevel(logging.DEBUG if verbose else logging.INFO)
    for noisy in ("azure", "aiohttp", "uvicorn", "asyncio"):
        logging.getLogger(noisy).setLevel(logging.INFO if verbose else logging.WARNING)


class _Lines(logging.Formatter):
    """Records as people read them; what they quote of payloads does nothing to a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        return harmless(super().format(record))


def _say(line: str) -> None:
    print(harmless(line), flush=True)
