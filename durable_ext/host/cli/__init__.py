"""The `durable` command: its parser, and how errors become messages and exit codes.

A family of commands has a module of its own beside this one, which adds its parsers here.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import nullcontext

from durable_ext.errors import DurableError
from durable_ext.host.cli import (
    control,
    entities,
    export,
    host,
    hub,
    lint,
    quarantine,
    read,
    replay,
    schedules,
    start,
)
from durable_ext.host.cli.terminal import harmless, shielded
from durable_ext.host.exit_codes import ExitCode, exit_code

_FAMILIES = (
    host,
    hub,
    start,
    read,
    control,
    entities,
    schedules,
    quarantine,
    lint,
    replay,
    export,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    options = make_parser().parse_args(arguments)
    # An app prints what it wants; what the host says for itself it shields itself.
    with nullcontext() if options.run is host.run else shielded():
        return _run(options)


def _run(options: argparse.Namespace) -> int:
    try:
        return int(options.run(options))
    except (DurableError, TimeoutError) as error:
        print(f"durable: {harmless(str(error))}", file=sys.stderr)
        return int(exit_code(error))
    except KeyboardInterrupt:
        return int(ExitCode.INTERRUPTED)


def make_parser() -> argparse.ArgumentParser:
    """The parser of all commands. A wrong command line ends with exit code 2."""
    parser = argparse.ArgumentParser(prog="durable", description="Run durable orchestrations and look after them.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)
    for family in _FAMILIES:
        family.add_commands(commands)
    return parser
