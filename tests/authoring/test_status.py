"""What a caller sees of an instance."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from durable_ext.authoring.payload import JsonConverter
from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import PayloadError, TaskFailedError
from durable_ext.records.failures import Failure
from durable_ext.records.instance import Execution, InstanceRow, Parent, RuntimeStatus
from durable_ext.records.payloads import inline

from .samples import Line

NOON = datetime(2030, 1, 1, 12, tzinfo=UTC)


def status_with(**changes: Any) -> InstanceStatus:
    row = InstanceRow(
        execution=Execution(instance_id="order-1", execution_id="e1"),
        name="main",
        status=RuntimeStatus.RUNNING,
        created_at=NOON,
        updated_at=NOON,
    )
    return InstanceStatus(msgspec.structs.replace(row, **changes), JsonConverter())


def test_values_are_loaded() -> None:
    status = status_with(input=inline(b"1"), output=inline(b'{"sku":"a"}'), custom_status=inline(b'"half"'))
    assert (status.input, status.output, status.custom_status) == (1, {"sku": "a"}, "half")
    assert status.output_as(Line) == Line("a")
    assert (status.instance_id, status.name, status.runtime_status) == ("order-1", "main", RuntimeStatus.RUNNING)
    assert (status.created_time, status.last_updated_time, status.failure) == (NOON, NOON, None)
    assert repr(status) == "InstanceStatus('order-1', 'main', Running)"


def test_what_it_was_started_as() -> None:
    status = status_with(
        version="2", tags={"team": "a"}, completed_at=NOON, parent=Parent(instance_id="p", execution_id="e", task_id=3)
    )
    assert (status.version, status.tags, status.completed_time) == ("2", {"team": "a"}, NOON)
    assert (status.execution_id, status.parent_instance_id) == ("e1", "p")
    plain = status_with()
    assert (plain.version, plain.tags, plain.completed_time, plain.parent_instance_id) == (None, {}, None, None)


def test_input_and_custom_status_by_type() -> None:
    status = status_with(input=inline(b'{"sku":"a"}'), custom_status=inline(b'{"sku":"b"}'))
    assert (status.input_as(Line), status.custom_status_as(Line)) == (Line("a"), Line("b"))
    for as_type in (status.input_as, status.custom_status_as):
        with pytest.raises(PayloadError, match="does not fit int"):
            as_type(int)


def test_what_is_not_there_is_none() -> None:
    status = status_with()
    assert (status.input, status.output, status.custom_status) == (None, None, None)
    assert (status.input_as(Line), status.custom_status_as(Line)) == (None, None)


def test_the_output_of_a_failed_instance() -> None:
    failure = Failure(type="shop.OutOfStock", message="none")
    status = status_with(status=RuntimeStatus.FAILED, failure=failure)
    assert status.output == "OutOfStock: none"
    with pytest.raises(TaskFailedError, match="main failed: OutOfStock: none") as found:
        status.output_as(Line)
    assert found.value.failure is failure


def test_an_output_of_another_type() -> None:
    with pytest.raises(PayloadError, match="does not fit Line"):
        status_with(output=inline(b"5")).output_as(Line)
