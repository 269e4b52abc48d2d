"""Records to versioned JSON and back. One codec for every store and queue.

A queue body has one top-level key, `durable`: the Functions host lays a JSON body's top-level fields over the
trigger's metadata (functions-host.md, fact 1). Unknown fields are ignored, so that an older build reads what a newer
one adds; an unknown kind or version is a DecodeError, which the caller quarantines (P11).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from durable_ext.records.events import Event
from durable_ext.records.messages import Message

FORMAT_VERSION = 1

DecodeError = msgspec.DecodeError


class _Batch(msgspec.Struct, omit_defaults=True):
    """`blob` names where the whole body is when it does not fit a queue message."""

    v: int
    items: tuple[Message, ...] = ()
    blob: str | None = None


class _Envelope(msgspec.Struct):
    durable: _Batch


_encoder = msgspec.json.Encoder()
_envelope_decoder = msgspec.json.Decoder(_Envelope)
_events_decoder = msgspec.json.Decoder(tuple[Event, ...])


def encode_messages(messages: Sequence[Message]) -> bytes:
    """A queue body that carries the messages."""
    return _encoder.encode(_Envelope(_Batch(v=FORMAT_VERSION, items=tuple(messages))))


def encode_message_reference(blob: str) -> bytes:
    """A queue body that names the blob which holds the real body."""
    return _encoder.encode(_Envelope(_Batch(v=FORMAT_VERSION, blob=blob)))


def decode_messages(body: bytes | str) -> tuple[Message, ...] | str:
    """The messages of a queue body, or the name of the blob that holds the body. Raises DecodeError."""
    batch = _envelope_decoder.decode(body).durable
    if batch.v != FORMAT_VERSION:
        raise DecodeError(f"message format {batch.v} is unknown; this build reads {FORMAT_VERSION}")
    return batch.items if batch.blob is None else batch.blob


def encode_events(events: Sequence[Event]) -> bytes:
    """The events of a turn as one JSON array."""
    return _encoder.encode(tuple(events))


def decode_events(data: bytes | str) -> tuple[Event, ...]:
    """The events of a turn. Raises DecodeError."""
    return _events_decoder.decode(data)
