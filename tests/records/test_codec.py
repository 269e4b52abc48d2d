"""Records to versioned JSON and back: nothing lost, nothing guessed."""

from __future__ import annotations

import json
from typing import Any, cast, get_args

import msgspec
import pytest

from durable_ext.records.codec import (
    DecodeError,
    decode_events,
    decode_messages,
    encode_events,
    encode_message_reference,
    encode_messages,
)
from durable_ext.records.events import Event
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.messages import Body, Message
from durable_ext.records.payloads import Payload, inline
from durable_ext.records.turns import Turn

from .samples import BLOB, BODIES, EVENTS, EXECUTION, FAILURE, NOON, PARENT, TRACE, VALUE


def plain(record: Any) -> Any:
    """Fields as data. Payloads are compared by their JSON text, which msgspec.Raw does not do."""
    if isinstance(record, Payload):
        return (bytes(record.json), record.blob, record.size)
    if isinstance(record, msgspec.Struct):
        return (type(record).__name__, {name: plain(getattr(record, name)) for name in record.__struct_fields__})
    if isinstance(record, tuple):
        return [plain(item) for item in record]  # pyright: ignore[reportUnknownVariableType]
    return record


def message(body: Body) -> Message:
    return Message(
        id="m1",
        instance_id="order-1",
        execution_id="e1",
        body=body,
        sent_at=NOON,
        due=NOON,
        resent=True,
        deferrals=3,
        recoveries=1,
        failures=2,
        after="m0",
        after_at=NOON,
        trace=TRACE,
    )


def test_there_is_a_sample_of_every_kind() -> None:
    assert {type(event) for event in EVENTS} == set(get_args(Event))
    assert {type(body) for body in BODIES} == set(get_args(Body))


@pytest.mark.parametrize("record", [*EVENTS, *BODIES])
def test_samples_set_every_field(record: msgspec.Struct) -> None:
    """A field at its default would be left out of the JSON and prove nothing."""
    alternatives = {"result", "failure"} if {"result", "failure"} <= set(record.__struct_fields__) else set[str]()
    for field in msgspec.structs.fields(record):
        default = field.default_factory() if callable(field.default_factory) else field.default
        if field.name not in alternatives:
            assert getattr(record, field.name) != default, f"{type(record).__name__}.{field.name}"


@pytest.mark.parametrize("event", EVENTS)
def test_an_event_comes_back(event: Event) -> None:
    [back] = decode_events(encode_events([event]))
    assert plain(back) == plain(event)


@pytest.mark.parametrize("body", BODIES)
def test_a_message_comes_back(body: Body) -> None:
    back = decode_messages(encode_messages([message(body)]))
    assert not isinstance(back, str)
    assert [plain(item) for item in back] == [plain(message(body))]


def test_many_come_back_in_their_order() -> None:
    assert [type(event) for event in decode_events(encode_events(EVENTS))] == [type(event) for event in EVENTS]
    back = decode_messages(encode_messages([message(body) for body in BODIES]))
    assert [type(item.body) for item in back if isinstance(item, Message)] == [type(body) for body in BODIES]
    assert decode_events(encode_events([])) == ()
    assert decode_messages(encode_messages([])) == ()


def test_text_is_read_as_bytes_are() -> None:
    assert plain(decode_events(encode_events(EVENTS).decode())) == plain(tuple(EVENTS))
    text = encode_messages([message(BODIES[0])]).decode()
    assert plain(decode_messages(text)) == [plain(message(BODIES[0]))]


def test_a_queue_body_has_one_top_level_key() -> None:
    for body in (encode_messages([message(BODIES[0])]), encode_messages([]), encode_message_reference("order-1/m")):
        assert list(json.loads(body)) == ["durable"]


def test_a_reference_names_its_blob() -> None:
    assert decode_messages(encode_message_reference("order-1/m.json.gz")) == "order-1/m.json.gz"


def with_news(value: Any) -> Any:
    """The JSON of a newer build: every object of ours has one more field."""
    if isinstance(value, list):
        return [with_news(item) for item in cast("list[Any]", value)]
    if isinstance(value, dict):
        fields = cast("dict[str, Any]", value)
        return {
            "fromNextYear": [1],
            **{key: item if key == "json" else with_news(item) for key, item in fields.items()},
        }
    return value


def newer_build(encoded: bytes) -> str:
    return json.dumps(with_news(json.loads(encoded)), separators=(",", ":"), ensure_ascii=False)


def test_unknown_fields_are_ignored() -> None:
    """Tags, kept values and a failure's properties are the user's: their fields are no news."""
    users = ("tags", "values", "failure")
    ours = [event for event in EVENTS if not any(hasattr(event, name) for name in users)]
    newer = newer_build(encode_events(ours))
    assert newer.count("fromNextYear") > len(ours)
    assert plain(decode_events(newer)) == plain(tuple(ours))
    newer = newer_build(encode_messages([message(BODIES[3])]))
    assert plain(decode_messages(newer)) == [plain(message(BODIES[3]))]


def test_fields_that_are_left_out_have_their_defaults() -> None:
    [event] = decode_events('[{"type":"TaskScheduled","id":0,"name":"a","input":{}}]')
    assert plain(event)[1]["placement"] == "auto"
    assert plain(event)[1]["input"] == (b"null", None, 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"hello",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b'{"durable":{}}',
        b'{"durable":{"v":1,"items":[{"id":"m"}]}}',
        b'{"durable":{"v":"1"}}',
        b'{"durable":{"v":0}}',
        b'{"durable":{"v":2,"items":[]}}',
        b'{"durable":{"v":1,"items":[{"id":"m","instanceId":"i","sentAt":"2030-01-01T00:00:00Z","body":{"type":"X"}}]}}',
        b'{"durable":{"v":1,"items":[{"id":"m","instanceId":"i","sentAt":"noon","body":{"type":"Suspend"}}]}}',
        b'{"id":"m","v":1}',
    ],
)
def test_what_is_no_message_is_a_decode_error(body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_messages(body)


def test_an_unknown_format_is_named() -> None:
    with pytest.raises(DecodeError, match="message format 2 is unknown; this build reads 1"):
        decode_messages('{"durable":{"v":2}}')


@pytest.mark.parametrize(
    "data",
    [b"", b"{}", b"[1]", b'[{"type":"Unheard","id":1}]', b'[{"id":1}]', b'[{"type":"TimerFired"}]', b'[{"type":"Timer'],
)
def test_what_is_no_event_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_events(data)


def test_names_in_json_are_camel_case_and_the_kind_comes_first() -> None:
    text = encode_events([EVENTS[12]]).decode()
    assert text.startswith('[{"type":"ChildScheduled",')
    assert '"instanceId":"e1:1"' in text


def test_the_value_stands_in_the_json_as_it_is() -> None:
    """People read history rows: a payload is JSON in JSON, not a string of escaped quotes."""
    data = json.loads(encode_events([EVENTS[1]]))
    assert data[0]["result"]["json"] == {"text": "héllo", "n": [1, 2.5, None, True]}


def test_a_turn_and_a_row_come_back() -> None:
    turn = Turn(
        execution=EXECUTION,
        number=3,
        events=tuple(EVENTS),
        message_ids=("m1", "m2"),
        trigger_id="m1",
        time=NOON,
        commit_id="c1",
    )
    row = InstanceRow(
        execution=EXECUTION,
        name="main",
        status=RuntimeStatus.FAILED,
        created_at=NOON,
        updated_at=NOON,
        turn=3,
        version="2",
        input=VALUE,
        output=BLOB,
        custom_status=VALUE,
        failure=FAILURE,
        completed_at=NOON,
        scheduled_start=NOON,
        parent=PARENT,
        tags={"team": "a"},
    )
    for record in (turn, row):
        assert plain(msgspec.json.decode(msgspec.json.encode(record), type=type(record))) == plain(record)


def test_a_turn_knows_whether_it_is_the_last() -> None:
    turn = Turn(execution=EXECUTION, number=0, events=(), message_ids=(), trigger_id="m", time=NOON, commit_id="c")
    assert not turn.is_terminal
    ends = {"ExecutionCompleted", "ExecutionFailed", "ExecutionTerminated", "ContinuedAsNew", "EntityRemoved"}
    for event in EVENTS:
        ended = msgspec.structs.replace(turn, events=(EVENTS[5], event))
        assert ended.is_terminal == (type(event).__name__ in ends)


def test_only_an_activity_is_a_work_item() -> None:
    assert [type(body).__name__ for body in BODIES if message(body).is_work_item] == ["RunActivity"]


def test_payloads() -> None:
    assert (VALUE.inline, VALUE.size, VALUE.data) == (True, len(VALUE.data), bytes(VALUE.json))
    assert (BLOB.inline, BLOB.size) == (False, 70_000)
    assert Payload().data == b"null"
    assert inline(b"1").blob is None
    with pytest.raises(LookupError, match="order-1/abc"):
        _ = BLOB.data


def test_records_are_frozen() -> None:
    records = (*EVENTS, *BODIES, message(BODIES[0]), VALUE, FAILURE, EXECUTION)
    for record in (record for record in records if record.__struct_fields__):
        name = record.__struct_fields__[0]
        with pytest.raises(AttributeError):
            setattr(record, name, getattr(record, name))


def test_statuses_are_those_of_durable_functions() -> None:
    assert [status.value for status in RuntimeStatus] == [
        "Pending",
        "Running",
        "Suspended",
        "Completed",
        "Failed",
        "Terminated",
        "Canceled",
        "ContinuedAsNew",
    ]
    assert {status.value for status in RuntimeStatus if status.is_terminal} == {
        "Completed",
        "Failed",
        "Terminated",
        "Canceled",
    }
