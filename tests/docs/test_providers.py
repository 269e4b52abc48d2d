"""docs/providers.md names the verbs of the contract, all of them and no others, and maps the other contracts whole."""

from __future__ import annotations

import re

import pytest

from durable_ext.providers.contract import Catalog, Feed, Provider
from durable_ext.worker.client import Client
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.worker import Worker

from .pages import read

PAGE = "providers.md"
CONTRACT: dict[str, type] = {"Provider": Provider, "Feed": Feed, "Catalog": Catalog}
HOMES: dict[str, type] = {"Client": Client, "Worker": Worker, "WorkerSettings": WorkerSettings}
MAPS = ("IOrchestrationService", "IOrchestrationServiceClient and its companions", "From Duroxide's Provider")

DURABLE_TASK_SERVICE = """
    StartAsync StopAsync CreateAsync CreateIfNotExistsAsync DeleteAsync IsMaxMessageCountExceeded
    GetDelayInSecondsAfterOnProcessException GetDelayInSecondsAfterOnFetchException TaskOrchestrationDispatcherCount
    MaxConcurrentTaskOrchestrationWorkItems EventBehaviourForContinueAsNew LockNextTaskOrchestrationWorkItemAsync
    RenewTaskOrchestrationWorkItemLockAsync CompleteTaskOrchestrationWorkItemAsync
    AbandonTaskOrchestrationWorkItemAsync ReleaseTaskOrchestrationWorkItemAsync TaskActivityDispatcherCount
    MaxConcurrentTaskActivityWorkItems LockNextTaskActivityWorkItem RenewTaskActivityWorkItemLockAsync
    CompleteTaskActivityWorkItemAsync AbandonTaskActivityWorkItemAsync
"""
DURABLE_TASK_CLIENT = """
    CreateTaskOrchestrationAsync SendTaskOrchestrationMessageAsync SendTaskOrchestrationMessageBatchAsync
    WaitForOrchestrationAsync ForceTerminateTaskOrchestrationAsync GetOrchestrationStateAsync
    GetOrchestrationHistoryAsync PurgeOrchestrationHistoryAsync
"""
DUROXIDE = """
    name version fetch_orchestration_item ack_orchestration_item abandon_orchestration_item
    renew_orchestration_item_lock enqueue_for_orchestrator read read_with_execution append_with_execution
    enqueue_for_worker fetch_work_item ack_work_item renew_work_item_lock abandon_work_item renew_session_lock
    cleanup_orphaned_sessions get_custom_status get_kv_value get_kv_all_values as_management_capability
"""


def section(heading: str) -> str:
    """The text under a heading, down to the next one."""
    found = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", read(PAGE), flags=re.MULTILINE | re.DOTALL)
    assert found is not None, f"{PAGE} has no section {heading!r}"
    return found[1]


def rows(heading: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def unknown_verbs(cell: str) -> list[str]:
    """What a cell names in code that is neither a verb of the contract nor an attribute of ours."""
    verbs = {verb for kind in CONTRACT.values() for verb in getattr(kind, "__abstractmethods__", ())}
    unknown: list[str] = []
    for name in re.findall(r"`([^`]+)`", cell):
        home, dot, attribute = name.partition(".")
        if not (hasattr(HOMES.get(home), attribute) if dot else name in verbs):
            unknown.append(name)
    return unknown


@pytest.mark.parametrize("name", CONTRACT)
def test_the_verbs_are_those_of_the_contract(name: str) -> None:
    named = [row[0].strip("`") for row in rows(name)]
    assert sorted(named) == sorted(getattr(CONTRACT[name], "__abstractmethods__", ()))


@pytest.mark.parametrize("heading", MAPS)
def test_the_maps_lead_to_verbs_that_are_there(heading: str) -> None:
    assert {row[0]: wrong for row in rows(heading) if (wrong := unknown_verbs(row[1]))} == {}


@pytest.mark.parametrize("heading", MAPS)
def test_a_method_without_a_verb_has_its_reason(heading: str) -> None:
    assert [row[0] for row in rows(heading) if row[1] == "none" and not row[2]] == []


@pytest.mark.parametrize(
    ("heading", "methods"),
    [(MAPS[0], DURABLE_TASK_SERVICE), (MAPS[1], DURABLE_TASK_CLIENT), (MAPS[2], DUROXIDE)],
    ids=["service", "client", "duroxide"],
)
def test_every_method_of_the_other_contract_is_mapped(heading: str, methods: str) -> None:
    mapped = {name.strip() for row in rows(heading) for name in row[0].split(",")}
    assert set(methods.split()) - mapped == set()


def test_a_verb_that_is_not_there_is_found() -> None:
    assert unknown_verbs("`append`, `complete_activity`, `Client.start`, `Client.undo`") == [
        "complete_activity",
        "Client.undo",
    ]
