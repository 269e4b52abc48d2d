"""What a worker and its child processes say to each other: JSON in frames of known length. Nothing is pickled (R4)."""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

from durable_ext.records.failures import Failure
from durable_ext.records.trace import TraceContext

_LENGTH = struct.Struct(">Q")


class Call(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """A function to call, by module and qualified name; `converter` is where the app's converter is found, if it has
    one of its own. `attaching` is where to find what makes the span `trace` current."""

    name: str
    module: str
    function: str
    converter: str
    instance_id: str
    execution_id: str
    task_id: int
    attempt: int
    input: msgspec.Raw
    last_progress: msgspec.Raw
    trace: TraceContext | None = None
    attaching: str = ""


class Progressed(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """How far the call is, as its code says."""

    value: msgspec.Raw


class Returned(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The call has a result."""

    result: msgspec.Raw


class Raised(msgspec.Struct, frozen=True, kw_only=True, tag=True):
    """The call has failed."""

    failure: Failure


Answer = Progressed | Returned | Raised
_call = msgspec.json.Decoder(Call)
_answer: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def write(pipe: BinaryIO, frame: Call | Answer) -> None:
    """Write a frame. Raises OSError when nobody reads any more."""
    data = msgspec.json.encode(frame)
    pipe.write(_LENGTH.pack(len(data)) + data)
    pipe.flush()


def read_call(pipe: BinaryIO) -> Call | None:
    """The next call; None at the end."""
    data = _read(pipe)
    return None if data is None else _call.decode(data)


def read_answer(pipe: BinaryIO) -> Answer | None:
    """The next answer; None when the other side has ended."""
    data = _read(pipe)
    return None if data is None else _answer.decode(data)


def _read(pipe: BinaryIO) -> bytes | None:
    head = pipe.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    data = pipe.read(length)
    return data if len(data) == length else None
