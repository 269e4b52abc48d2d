"""The payloads inside events and messages: stored before anything names them (P1), loaded before code needs them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import cache
from typing import TypeVar

import msgspec

from durable_ext.records.events import ContinuedAsNew, Event, ExecutionRewound, ExecutionStarted, Input
from durable_ext.records.failures import Failure
from durable_ext.records.ids import is_entity
from durable_ext.records.messages import Body, Message, StartExecution
from durable_ext.records.payloads import Payload
from durable_ext.records.turns import Turn
from durable_ext.worker.payload_store import PayloadStore

# Every field of an event or a message body that holds a user's value.
_FIELDS = ("input", "result", "status", "state", "value", "output")
_HOLD_MORE = frozenset({ContinuedAsNew, ExecutionStarted, ExecutionRewound})
_AT_ONCE = 8

_Record = TypeVar("_Record", bound=msgspec.Struct)
_Move = Callable[[Payload], Awaitable[Payload]]


async def store_events(store: PayloadStore, instance_id: str, events: Sequence[Event]) -> tuple[Event, ...]:
    """The events as history may carry them: long payloads put and named."""

    async def put(payload: Payload) -> Payload:
        return await store.put(instance_id, payload)

    stored = [event if _is_left(event, store.stays) else await _mapped(event, put) for event in events]
    if store.seal.encrypts:
        stored = [_with_failure(event, store.seal.close_failure) for event in stored]
    return tuple(stored)


async def load_turns(store: PayloadStore, turns: Sequence[Turn]) -> tuple[Turn, ...]:
    """The turns with the payloads a replay hands to code in place; those of decisions stay where they are."""
    if not turns:
        return ()
    gate = asyncio.Semaphore(_AT_ONCE)

    async def load(turn: Turn) -> Turn:
        if all(not isinstance(event, Input) or not _is_away(store, event) for event in turn.events):
            return turn
        async with gate:
            loaded = [await _loaded(store, event) if isinstance(event, Input) else event for event in turn.events]
        return msgspec.structs.replace(turn, events=tuple(loaded))

    return tuple(await asyncio.gather(*[load(turn) for turn in turns]))


async def load_inputs(store: PayloadStore, inputs: Sequence[Input]) -> tuple[Input, ...]:
    """Inputs with their payloads in place, for the code."""
    return tuple([await _loaded(store, event) for event in inputs])


async def move_message(store: PayloadStore, message: Message) -> Message:
    """The message with its payloads under the receiver's name: they must outlive the sender's purge (P10)."""
    body: Body = message.body
    if all(payload.inline for payload in _payloads(body)):
        return message

    owner = owner_of(message)

    async def move(payload: Payload) -> Payload:
        return await store.move(message.instance_id, payload, owner)

    return msgspec.structs.replace(message, body=await _mapped(body, move))


def owner_of(message: Message) -> str:
    """Whose the payloads of a message are that may begin its receiver: whoever purges what was there before leaves
    them (P10)."""
    if isinstance(message.body, StartExecution):
        return message.body.execution.execution_id
    return message.id if is_entity(message.instance_id) else ""


def _is_left(record: msgspec.Struct, is_left: Callable[[Payload], bool]) -> bool:
    """Whether every payload of a record is left as it is; of those that may hold more nobody knows yet."""
    if type(record) in _HOLD_MORE:
        return False
    for name in _fields_of(type(record)):
        payload = getattr(record, name)
        if payload is not None and not is_left(payload):
            return False
    return True


async def _mapped(record: _Record, move: _Move) -> _Record:
    changes: dict[str, object] = {}
    for name in _fields_of(type(record)):
        payload = getattr(record, name)
        if payload is not None:
            moved = await move(payload)
            if moved is not payload:
                changes[name] = moved
    if type(record) in _HOLD_MORE:
        changes |= await _more(record, move)
    return msgspec.structs.replace(record, **changes) if changes else record


@cache
def _fields_of(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return tuple(name for name in _FIELDS if name in kind.__struct_fields__)


async def _more(record: msgspec.Struct, move: _Move) -> dict[str, object]:
    """Payloads that are deeper in a record."""
    changes: dict[str, object] = {}
    if isinstance(record, ContinuedAsNew) and record.carried:
        changes["carried"] = tuple([await _mapped(event, move) for event in record.carried])
    if isinstance(record, ContinuedAsNew | ExecutionStarted) and record.values:
        changes["values"] = {key: await _mapped(kept, move) for key, kept in record.values.items()}
    if isinstance(record, ExecutionRewound):
        changes["past"] = tuple(
            [
                msgspec.structs.replace(past, events=tuple([await _mapped(event, move) for event in past.events]))
                for past in record.past
            ]
        )
    return changes


async def _loaded(store: PayloadStore, event: _Record) -> _Record:
    loaded = event if _is_left(event, store.is_open) else await _mapped(event, store.get)
    return _with_failure(loaded, store.seal.open_failure) if store.seal.encrypts else loaded


def _with_failure(record: _Record, change: Callable[[Failure], Failure]) -> _Record:
    failure = getattr(record, "failure", None)
    if not isinstance(failure, Failure):
        return record
    changed = change(failure)
    return record if changed is failure else msgspec.structs.replace(record, failure=changed)


def _is_away(store: PayloadStore, record: msgspec.Struct) -> bool:
    return any(store.is_away(payload) for payload in _payloads(record)) or (
        store.seal.encrypts and hasattr(record, "failure")
    )


def _payloads(record: msgspec.Struct) -> Iterator[Payload]:
    for name in _fields_of(type(record)):
        payload = getattr(record, name)
        if payload is not None:
            yield payload
    if isinstance(record, ExecutionStarted):
        for kept in record.values.values():
            yield kept.value
