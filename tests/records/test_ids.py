"""Ids: what people may choose, what is derived, and which queue an instance has."""

from __future__ import annotations

import pytest

from durable_ext.errors import InvalidInputError
from durable_ext.records import ids
from durable_ext.records.instance import Execution

FIRST = Execution(instance_id="order-1", execution_id="e1")
SECOND = Execution(instance_id="order-1", execution_id="e2", generation=1)


@pytest.mark.parametrize(
    ("instance_id", "fnv", "of_4", "of_16"),
    [
        ("", 2166136261, 1, 5),
        ("a", 3826002220, 0, 12),
        ("abc", 440920331, 3, 11),
        ("@counter@key1", 2587998225, 1, 1),
        ("instance_id", 1834629946, 2, 10),
        ("0123456789abcdef0123456789abcdef", 2261798325, 1, 5),
        ("héllo", 1252296000, 0, 0),
    ],
)
def test_the_queue_is_the_one_durabletask_chooses(instance_id: str, fnv: int, of_4: int, of_16: int) -> None:
    assert ids.partition_of(instance_id, 2**32) == fnv
    assert ids.partition_of(instance_id, 4) == of_4
    assert ids.partition_of(instance_id, 16) == of_16
    assert ids.partition_of(instance_id, 1) == 0


@pytest.mark.parametrize(
    "instance_id", ["a", "order 1", "order-1:2", "ö" * 256, "x^y", "a@b", "e1:0", "日本", "a.b_c~d", "'--", "%2F"]
)
def test_ids_that_may_be(instance_id: str) -> None:
    assert ids.check_instance_id(instance_id) == instance_id


@pytest.mark.parametrize(
    ("instance_id", "why"),
    [
        ("", "is empty"),
        ("   ", "is empty"),
        ("x" * 257, "257 characters; at most 256"),
        ("@counter@a", "kept for entities"),
        ("a/b", "contains /"),
        ("a\\b", r"contains \\"),
        ("a#b", "contains #"),
        ("a?b", r"contains \?"),
        ("a?b#c", "contains # \\?"),
        ("a\x00b", "control characters"),
        ("a\nb", "control characters"),
        ("a\x7fb", "control characters"),
        ("a\x9fb", "control characters"),
        ("a\ud800b", "control characters"),
    ],
)
def test_ids_that_may_not_be(instance_id: str, why: str) -> None:
    with pytest.raises(InvalidInputError, match=why):
        ids.check_instance_id(instance_id)
    with pytest.raises(ValueError, match="instance id"):
        ids.check_instance_id(instance_id)


@pytest.mark.parametrize("name", ["a", "a/b", "@x", "greet?", "x" * 256])
def test_names_that_may_be(name: str) -> None:
    assert ids.check_name("activity name", name) == name


@pytest.mark.parametrize("name", ["", " ", "x" * 257, "a\tb", "\udfff"])
def test_names_that_may_not_be(name: str) -> None:
    with pytest.raises(InvalidInputError, match="activity name"):
        ids.check_name("activity name", name)


def test_derived_ids_are_stable() -> None:
    """Written down: a process of another release has to derive the same ones."""
    assert ids.message_id(FIRST, 26, 11) == "e1-1a-b"
    assert ids.start_message_id(FIRST) == "e1-start"
    assert ids.result_message_id("e1-1a-b") == "e1-1a-b-done"
    assert ids.child_instance_id(FIRST, 3) == "e1:3"
    assert ids.child_execution_id(FIRST, 3) == "f445183854cf1252495556b86dcd8b85"
    assert ids.next_execution_id(FIRST) == "a03e7c6dc74f52296afbd1f7f220e061"
    assert ids.seed(FIRST) == 0x59BE5A8966BD8D44BA20071C7399BDD8


def test_derived_ids_are_distinct() -> None:
    made = [
        *(ids.message_id(execution, turn, n) for execution in (FIRST, SECOND) for turn in (0, 1) for n in (0, 1)),
        *(ids.child_execution_id(execution, n) for execution in (FIRST, SECOND) for n in range(5)),
        *(ids.child_instance_id(execution, n) for execution in (FIRST, SECOND) for n in range(5)),
        *(ids.next_execution_id(execution) for execution in (FIRST, SECOND)),
        *(ids.start_message_id(execution) for execution in (FIRST, SECOND)),
        str(ids.seed(FIRST)),
        str(ids.seed(SECOND)),
    ]
    assert len(set(made)) == len(made)


def test_parts_of_a_derived_id_do_not_run_together() -> None:
    one = Execution(instance_id="i", execution_id="e")
    other = Execution(instance_id="i", execution_id="e1")
    assert ids.child_execution_id(one, 12) != ids.child_execution_id(other, 2)


def test_a_childs_id_may_name_an_instance() -> None:
    assert ids.check_instance_id(ids.child_instance_id(FIRST, 0))


def test_deterministic_uuid() -> None:
    value = ids.deterministic_uuid("order-1", "2030-01-01T12:00:00.000000Z", 0)
    assert value == ids.deterministic_uuid("order-1", "2030-01-01T12:00:00.000000Z", 0)
    assert value.version == 5
    others = {
        ids.deterministic_uuid("order-2", "2030-01-01T12:00:00.000000Z", 0),
        ids.deterministic_uuid("order-1", "2030-01-01T12:00:00.000001Z", 0),
        ids.deterministic_uuid("order-1", "2030-01-01T12:00:00.000000Z", 1),
        value,
    }
    assert len(others) == 4
