"""JSON that a command is given: in place, in a file, or on standard input."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import msgspec

from durable_ext.errors import InvalidInputError


def add_json_options(parser: argparse.ArgumentParser, word: str, what: str) -> None:
    """`--WORD` and `--WORD-file`, which exclude each other."""
    given = parser.add_mutually_exclusive_group()
    given.add_argument(f"--{word}", metavar="JSON", help=what)
    given.add_argument(f"--{word}-file", metavar="FILE", help="a file with it; - is standard input")


def given_json(options: argparse.Namespace, word: str) -> Any:
    """The value given by `add_json_options`, None without one. Raises InvalidInputError."""
    text, file = getattr(options, word), getattr(options, f"{word}_file")
    if text is not None:
        return read_json(text, f"--{word}")
    if file is None:
        return None
    try:
        text = sys.stdin.read() if file == "-" else Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InvalidInputError(f"{file} cannot be read: {error}") from error
    return read_json(text, file)


def read_json(text: str, what: str) -> Any:
    """The value of JSON text. Raises InvalidInputError."""
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{what} is no JSON ({error}); a text needs its own quotes: '\"text\"'") from error
