"""`durable start` and `durable restart`: begin an instance, and wait for its end when asked to."""

from __future__ import annotations

import argparse
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from durable_ext.errors import InvalidInputError
from durable_ext.host.cli_options import Commands, add_command
from durable_ext.host.cli_text import print_json, print_status, status_json
from durable_ext.host.exit_codes import ExitCode
from durable_ext.records.instance import RuntimeStatus

if TYPE_CHECKING:
    from durable_ext.worker.client import Client

_DEFAULT_WAIT = 60.0


def add_commands(commands: Commands) -> None:
    """Add the family's parsers."""
    start = add_command(commands, "start", _start, "Start an orchestration.", creates=True)
    start.add_argument("name", help="the name of the orchestrator")
    given = start.add_mutually_exclusive_group()
    given.add_argument("--input", metavar="JSON", help="its input")
    given.add_argument("--input-file", metavar="FILE", help="a file with its input; - is standard input")
    start.add_argument("--id", metavar="ID", help="the instance id (default: a new one)")
    _add_wait(start)
    restart = add_command(commands, "restart", _restart, "Start an instance's orchestration again, with its input.")
    restart.add_argument("id", help="the instance id")
    restart.add_argument("--same-id", action="store_true", help="under its id, once it has ended (default: a new id)")
    _add_wait(restart)


def read_json(text: str, what: str) -> Any:
    """The value of JSON text. Raises InvalidInputError."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{what} is no JSON ({error}); a text needs its own quotes: '\"text\"'") from error


def _add_wait(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--wait",
        metavar="SECONDS",
        nargs="?",
        type=float,
        const=_DEFAULT_WAIT,
        help="wait for its end, at most this long (default: %(const)g)",
    )


async def _start(options: argparse.Namespace, client: Client) -> int:
    instance_id = await client.start(options.name, _input(options), instance_id=options.id)
    return await _after_start(options, client, instance_id)


async def _restart(options: argparse.Namespace, client: Client) -> int:
    instance_id = await client.restart(options.id, new_instance_id=not options.same_id)
    return await _after_start(options, client, instance_id)


async def _after_start(options: argparse.Namespace, client: Client, instance_id: str) -> int:
    if options.wait is None:
        print_json({"instanceId": instance_id}) if options.json else print(instance_id)
        return ExitCode.OK
    try:
        status = await client.wait_for_completion(instance_id, timedelta(seconds=options.wait))
    except TimeoutError as error:
        raise TimeoutError(f"instance {instance_id} has not ended within {options.wait:g} seconds") from error
    print_json(status_json(status)) if options.json else print_status(status)
    return ExitCode.OK if status.runtime_status is RuntimeStatus.COMPLETED else ExitCode.INSTANCE_FAILED


def _input(options: argparse.Namespace) -> Any:
    if options.input is not None:
        return read_json(options.input, "--input")
    if options.input_file is None:
        return None
    try:
        text = sys.stdin.read() if options.input_file == "-" else Path(options.input_file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{options.input_file} cannot be read: {error}") from error
    return read_json(text, options.input_file)
