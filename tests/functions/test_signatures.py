"""Every member of the context, the client and the decorators of azure-functions-durable 1.7, called with the keywords
and the positions that it has there. A row that does not bind is a break of somebody's app (F1)."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

import durable_ext as df

# Method, then its parameters there; `=` marks those with a default.
CONTEXT: dict[str, str] = {
    "call_activity": "name input_= expected_type=",
    "call_activity_with_retry": "name retry_options input_= expected_type=",
    "call_sub_orchestrator": "name input_= instance_id= version= expected_type=",
    "call_sub_orchestrator_with_retry": "name retry_options input_= instance_id= version= expected_type=",
    "call_entity": "entityId operationName operationInput= expected_type=",
    "signal_entity": "entityId operationName operationInput=",
    "call_http": "method uri content= headers= token_source= is_raw_str=",
    "create_timer": "fire_at",
    "wait_for_external_event": "name expected_type=",
    "continue_as_new": "input_",
    "task_all": "activities",
    "task_any": "activities",
    "get_input": "expected_type=",
    "set_custom_status": "status",
    "new_uuid": "",
    "new_guid": "",
}
PROPERTIES = (
    *("custom_status", "histories", "instance_id", "is_replaying", "parent_instance_id", "current_utc_datetime"),
    *("function_context", "will_continue_as_new", "version"),
)
CLIENT: dict[str, str] = {
    "start_new": "orchestration_function_name instance_id= client_input= version=",
    "get_status": "instance_id show_history= show_history_output= show_input=",
    "get_status_all": "",
    "get_status_by": "created_time_from= created_time_to= runtime_status= instance_id_prefix=",
    "raise_event": "instance_id event_name event_data= task_hub_name= connection_name=",
    "terminate": "instance_id reason",
    "suspend": "instance_id reason",
    "resume": "instance_id reason",
    "rewind": "instance_id reason task_hub_name= connection_name=",
    "restart": "instance_id restart_with_new_instance_id=",
    "purge_instance_history": "instance_id",
    "purge_instance_history_by": "created_time_from= created_time_to= runtime_status=",
    "signal_entity": "entityId operation_name operation_input= task_hub_name= connection_name=",
    "read_entity_state": "entityId task_hub_name= connection_name=",
    "create_check_status_response": "request instance_id",
    "create_http_management_payload": "instance_id",
    "get_client_response_links": "request instance_id",
    "wait_for_completion_or_create_check_status_response": (
        "request instance_id timeout_in_milliseconds= retry_interval_in_milliseconds="
    ),
}
ENTITY: dict[str, str] = {
    "get_state": "initializer= expected_type=",
    "set_state": "state",
    "get_input": "expected_type=",
    "set_result": "result",
    "destruct_on_exit": "",
}
DECORATORS: dict[str, str] = {
    "orchestration_trigger": "context_name orchestration= input_type=",
    "activity_trigger": "input_name activity=",
    "entity_trigger": "context_name entity_name=",
    "durable_client_input": "client_name task_hub= connection_name=",
}
# Positions of these are given up: what stands there is ours since before, or has no business there.
NOT_BY_POSITION = {"task_hub_name", "connection_name"}

ROWS = [
    (kind, method, parameters)
    for kind, table in (
        (df.DurableOrchestrationContext, CONTEXT),
        (df.DurableOrchestrationClient, CLIENT),
        (df.SyncDurableFunctionsClient, CLIENT),
        (df.DurableEntityContext, ENTITY),
        (df.DFApp, DECORATORS),
        (df.Blueprint, DECORATORS),
    )
    for method, parameters in table.items()
]


@pytest.mark.parametrize(("kind", "method", "parameters"), ROWS)
def test_by_position(kind: type[Any], method: str, parameters: str) -> None:
    names = [name.rstrip("=") for name in parameters.split()]
    signature = inspect.signature(inspect.unwrap(getattr(kind, method)))
    signature.bind(None, *(name for name in names if name not in NOT_BY_POSITION))
    signature.bind(None, *(name for name in parameters.split() if not name.endswith("=")))


@pytest.mark.parametrize(("kind", "method", "parameters"), ROWS)
def test_by_keyword(kind: type[Any], method: str, parameters: str) -> None:
    names = [name.rstrip("=") for name in parameters.split()]
    inspect.signature(inspect.unwrap(getattr(kind, method))).bind(None, **dict.fromkeys(names))


@pytest.mark.parametrize("name", PROPERTIES)
def test_properties_of_the_context(name: str) -> None:
    assert isinstance(inspect.getattr_static(df.DurableOrchestrationContext, name), property)


@pytest.mark.parametrize("name", ["entity_name", "entity_key", "operation_name", "is_newly_constructed"])
def test_properties_of_the_entity_context(name: str) -> None:
    assert isinstance(inspect.getattr_static(df.DurableEntityContext, name), property)


def test_entity_ids() -> None:
    entity_id = df.EntityId(name="Counter", key="mine")
    assert str(entity_id) == "@counter@mine"
    assert df.EntityId.get_scheduler_id(entity_id) == "@counter@mine"
    assert df.EntityId.get_entity_id("@counter@mine") == entity_id
    assert df.EntityId.get_entity_id_url_path(entity_id) == "entities/counter/mine"
    assert {entity_id: 1}[df.EntityId("counter", "mine")] == 1
    for name, key in (("", "key"), ("name", "")):
        with pytest.raises(ValueError, match="empty"):
            df.EntityId(name, key)
