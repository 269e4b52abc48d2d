"""Records to entities and back, columns as DurableTask has them, and what does not fit."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage import rows, turn_rows
from durable_ext.providers.azure_storage.client import Condition, Entity
from durable_ext.providers.azure_storage.odata import address, encode_entity, filter_text, time_text
from durable_ext.records.events import EventRaised
from durable_ext.records.failures import Failure
from durable_ext.records.instance import InstanceRow, Parent, RuntimeStatus
from durable_ext.records.limits import MAX_COLUMN_CHARACTERS
from durable_ext.records.payloads import inline, stored

from .samples import NOW, ODD_IDS, execution, row, turn

CONTAINER = "hub-largemessages"
FAILURE = Failure(type="shop.PaymentError", message="declined", cause=Failure(type="OSError", message="no route"))


def url_of(name: str) -> str:
    return f"http://host/{CONTAINER}/{name}"


def through_json(entity: Entity) -> Entity:
    """What storage gives back: types are gone from JSON."""
    columns = msgspec.json.decode(encode_entity(entity), type=dict[str, object])
    return {name: value for name, value in columns.items() if "@" not in name}  # pyright: ignore[reportReturnType]


FULL = row(
    execution=execution("a^b?", "e9", 3),
    turn=7,
    status=RuntimeStatus.COMPLETED,
    version="2.0",
    input=inline('{"a":"ü"}'.encode()),
    output=stored("a/b.json.gz", 123456),
    custom_status=inline(b"null"),
    completed_at=NOW + timedelta(seconds=1),
    scheduled_start=NOW - timedelta(days=1),
    parent=Parent(instance_id="p", execution_id="pe", task_id=4, name="n"),
    tags={"tenant": "x"},
)


@pytest.mark.parametrize(
    "record",
    [
        FULL,
        row(),
        row(status=RuntimeStatus.FAILED, failure=FAILURE),
        row(status=RuntimeStatus.FAILED, failure=FAILURE, output=inline(b'"kept"')),
        row(input=inline(b'"http://looks/like/an/address"'), output=inline(b"0"), version=""),
        *(row(instance_id) for instance_id in ODD_IDS),
    ],
)
def test_a_row_comes_back_as_it_was(record: InstanceRow) -> None:
    assert rows.row_of(through_json(rows.entity_of(record, "Hub", url_of)), CONTAINER) == record


def test_columns_and_types_are_those_of_durable_task() -> None:
    entity = rows.entity_of(FULL, "Hub", url_of)
    assert (entity["PartitionKey"], entity["RowKey"]) == ("a^^b^3", "")
    assert entity["Input"] == '{"a":"ü"}'
    assert entity["Output"] == "http://host/hub-largemessages/a/b.json.gz"
    assert (entity["RuntimeStatus"], entity["Generation"], entity["TaskHubName"]) == ("Completed", 3, "Hub")
    json = msgspec.json.decode(encode_entity(entity), type=dict[str, object])
    for name in ("CreatedTime", "LastUpdatedTime", "CompletedTime", "ScheduledStartTime"):
        assert json[f"{name}@odata.type"] == "Edm.DateTime"
    assert json["CreatedTime"] == "2026-03-04T05:06:07.8901230Z"


def test_a_failure_is_shown_where_tools_look_for_it() -> None:
    entity = rows.entity_of(row(status=RuntimeStatus.FAILED, failure=FAILURE), "Hub", url_of)
    assert entity["Output"] == '"PaymentError: declined"'


def test_a_blob_is_found_although_the_address_of_the_account_changed() -> None:
    assert rows.blob_of("https://elsewhere:1/x/hub-largemessages/a%20b/c.json.gz", CONTAINER) == "a b/c.json.gz"
    with pytest.raises(StorageError):
        rows.blob_of("https://elsewhere/other/c.json.gz", CONTAINER)


def test_long_columns_are_moved_and_sizes_kept() -> None:
    long = "x" * (MAX_COLUMN_CHARACTERS - 1)
    entity = rows.entity_of(row(input=inline(b'"' + long.encode() + b'"'), tags={"a": "b"}), "Hub", url_of)
    assert rows.long_columns(entity) == ["Input"]
    rows.move_column(entity, "Input", url_of("blob"), 32769)
    assert rows.row_of(through_json(entity), CONTAINER).input == stored("blob", 32769)


@pytest.mark.parametrize(("character", "units"), [("x", 1), ("ü", 1), ("日", 1), ("🎈", 2)])
def test_the_column_limit_counts_utf_16(character: str, units: int) -> None:
    fits = character * (MAX_COLUMN_CHARACTERS // units)
    assert not rows.too_long(fits)
    assert rows.too_long(fits + character)


def test_a_turn_comes_back_as_it_was() -> None:
    record = turn(5, of=execution("a/^", "x:1", 17), message_ids=("a,b", 'c"'), commit_id="k")
    entity, overflow = turn_rows.entity_of(record)
    assert overflow is None
    assert entity["RowKey"] == "00000011-x:1-00000005"
    assert turn_rows.turn_of(through_json(entity), None) == record


def test_events_are_readable_and_their_types_short() -> None:
    events = tuple(EventRaised(name="e", input=inline(b"1")) for _ in range(1000))
    entity, overflow = turn_rows.entity_of(turn(1, *events[:3]))
    assert entity["EventTypes"] == "EventRaised"
    assert str(entity["Events"]).startswith('[{"type":"EventRaised","name":"e"')
    entity, overflow = turn_rows.entity_of(turn(1, *events))
    assert overflow is not None
    assert (entity["Events"], entity["MessageIds"], entity["EventTypes"]) == ("", "", "EventRaised")
    assert turn_rows.turn_of(through_json(entity), overflow).events == events


def test_message_ids_that_do_not_fit_go_to_the_blob_too() -> None:
    ids = tuple(f"message-{number:030}" for number in range(2000))
    entity, overflow = turn_rows.entity_of(turn(1, message_ids=ids))
    assert overflow is not None
    assert turn_rows.message_ids_of(through_json(entity), overflow) == ids
    assert turn_rows.entity_of(turn(1, message_ids=ids)) == (entity, overflow)


def test_a_damaged_turn_is_a_storage_error() -> None:
    entity, _ = turn_rows.entity_of(turn())
    with pytest.raises(StorageError, match="order-1"):
        turn_rows.turn_of(entity | {"Events": '[{"type":"Unheard"}]'}, None)
    with pytest.raises(StorageError, match="order-1"):
        turn_rows.message_ids_of(entity | {"MessageIds": "[1"}, None)
    with pytest.raises(StorageError, match="order-1"):
        turn_rows.message_ids_of(entity, b"{}")


def test_a_tombstone_keeps_the_key_and_no_content() -> None:
    entity, _ = turn_rows.entity_of(turn())
    tombstone = turn_rows.tombstone_of(entity)
    assert (tombstone["PartitionKey"], tombstone["RowKey"]) == (entity["PartitionKey"], entity["RowKey"])
    assert {"Events", "MessageIds", "TriggerId", "CommitId"}.isdisjoint(tombstone)


def test_filters_are_escaped() -> None:
    where = (
        Condition("Name", "eq", "o'clock' or 1 eq 1"),
        Condition("RuntimeStatus", "in", ("A'", "B")),
        Condition("CreatedTime", "ge", NOW),
        Condition("Generation", "lt", 3),
        Condition("IsTerminal", "eq", True),
    )
    assert filter_text(where) == (
        "Name eq 'o''clock'' or 1 eq 1' and (RuntimeStatus eq 'A''' or RuntimeStatus eq 'B') "
        "and CreatedTime ge datetime'2026-03-04T05:06:07.8901230Z' and Generation lt 3 and IsTerminal eq true"
    )


def test_addresses_are_percent_encoded() -> None:
    assert address("T", "it's 50%/?", "") == "T(PartitionKey='it%27%27s%2050%25%2F%3F',RowKey='')"


def test_times_are_utc_and_of_one_length() -> None:
    whole = NOW.replace(microsecond=0)
    assert time_text(whole) == "2026-03-04T05:06:07.0000000Z"
    assert rows.time_of(time_text(NOW)) == NOW
    assert rows.time_of(NOW) == NOW
