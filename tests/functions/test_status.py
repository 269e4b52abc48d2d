"""DurableOrchestrationStatus, PurgeHistoryResult, EntityStateResponse: the shapes of azure-functions-durable 1.x."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from unittest.mock import Mock

import pytest

from durable_ext import (
    DurableOrchestrationStatus,
    EntityStateResponse,
    OrchestrationRuntimeStatus,
    PurgeHistoryResult,
    RuntimeStatus,
)

FIELDS = {
    "name": "chain",
    "instanceId": "mine",
    "createdTime": "2026-01-02T03:04:05Z",
    "lastUpdatedTime": "2026-01-02T03:04:06.500000Z",
    "input": [1],
    "output": {"a": 1},
    "runtimeStatus": "Completed",
    "customStatus": "done",
    "historyEvents": [{"EventType": "ExecutionStarted"}],
}


@pytest.mark.parametrize("given", [FIELDS, json.dumps(FIELDS), {**FIELDS, "somethingNew": 1}])
def test_from_json(given: dict[str, object] | str) -> None:
    status = DurableOrchestrationStatus.from_json(given)
    assert status
    assert (status.name, status.instance_id, status.input_, status.output) == ("chain", "mine", [1], {"a": 1})
    assert status.created_time == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert status.last_updated_time == datetime(2026, 1, 2, 3, 4, 6, 500_000, tzinfo=UTC)
    assert status.runtime_status is OrchestrationRuntimeStatus.Completed
    assert status.custom_status == "done"
    assert status.history == status.historyEvents == FIELDS["historyEvents"]


def test_to_json_and_back() -> None:
    status = DurableOrchestrationStatus.from_json(FIELDS)
    shown = status.to_json()
    assert shown == {
        **FIELDS,
        "createdTime": "2026-01-02T03:04:05.000000Z",
        "lastUpdatedTime": "2026-01-02T03:04:06.500000Z",
        "history": FIELDS["historyEvents"],
    }
    assert json.loads(str(status)) == shown
    assert DurableOrchestrationStatus.from_json(str(status)).to_json() == shown
    assert "mine" in repr(status)


def test_fields_without_a_value_are_null() -> None:
    """Code written for azure-functions-durable reads `status.to_json()["output"]` of what still runs."""
    shown = DurableOrchestrationStatus(name="a", createdTime="2026-01-02T03:04:05Z", runtimeStatus="Running").to_json()
    assert {name for name, value in shown.items() if value is None} == {
        *("instanceId", "lastUpdatedTime", "input", "output", "customStatus", "history")
    }


@pytest.mark.parametrize("given", [None, {}, "null"])
def test_nothing_is_false(given: dict[str, object] | str | None) -> None:
    status = DurableOrchestrationStatus.from_json(given)
    assert not status
    assert (status.name, status.runtime_status, status.history, status.to_json()) == (None, None, None, {})


def test_made_by_hand() -> None:
    status = DurableOrchestrationStatus(name="a", createdTime=datetime(2026, 1, 1), runtimeStatus="Running")  # noqa: DTZ001
    assert status.created_time == datetime(2026, 1, 1, tzinfo=UTC)
    assert status.runtime_status == "Running"
    assert not isinstance(status.runtime_status, type(None))
    with pytest.raises(ValueError, match="Paused"):
        DurableOrchestrationStatus(runtimeStatus="Paused")


def test_a_mock_of_the_class_has_its_fields() -> None:
    """There they are properties, so unit tests of apps find them in `Mock(spec=...)`."""
    status = Mock(spec=DurableOrchestrationStatus)
    for name in vars(DurableOrchestrationStatus.from_json(FIELDS)):
        assert getattr(status, name) is not None


def test_names_of_runtime_statuses() -> None:
    names = ["Running", "Completed", "ContinuedAsNew", "Failed", "Canceled", "Terminated", "Pending", "Suspended"]
    assert [status.name for status in OrchestrationRuntimeStatus] == names
    assert [status.value for status in OrchestrationRuntimeStatus] == names
    running = OrchestrationRuntimeStatus.Running
    assert (str(running), f"{running}") == ("OrchestrationRuntimeStatus.Running",) * 2
    assert json.dumps(running) == '"Running"'
    assert running == "Running" == RuntimeStatus.RUNNING
    assert OrchestrationRuntimeStatus(RuntimeStatus.RUNNING) is running


def test_small_results() -> None:
    assert PurgeHistoryResult.from_json({"instancesDeleted": 3}).instances_deleted == 3
    assert EntityStateResponse(True, 5).entity_state == 5
    assert EntityStateResponse(entity_exists=False).entity_state is None
