"""Durable orchestrations in plain async Python, on Azure Functions or self-hosted.

This is the one public door. Names are loaded when they are first used, so that importing the package costs little (F4).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from durable_ext.authoring.activity_context import ActivityContext
    from durable_ext.authoring.activity_progress import ActivityProgress
    from durable_ext.authoring.context import OrchestrationContext
    from durable_ext.authoring.encryption import EncryptedConverter, PayloadCipher
    from durable_ext.authoring.entities import DurableEntity
    from durable_ext.authoring.entity_context import EntityContext
    from durable_ext.authoring.http_records import (
        DurableHttpRequest,
        DurableHttpResponse,
        ManagedIdentityTokenSource,
        TokenSource,
    )
    from durable_ext.authoring.lifecycle import LifecycleEvent, LifecyclePublisher
    from durable_ext.authoring.payload import Converter, JsonConverter
    from durable_ext.authoring.registry import Registry
    from durable_ext.authoring.retry import RetryPolicy
    from durable_ext.authoring.status import InstanceStatus
    from durable_ext.errors import (
        ActivityError,
        ActivityOutcomeUnknownError,
        ActivityProcessError,
        ActivityTimedOutError,
        ConfigurationError,
        DuplicateNameError,
        DurableError,
        EndlessTurnError,
        EntityLockLostError,
        HttpRequestError,
        HubMismatchError,
        InstanceExistsError,
        InstanceNotFoundError,
        InstanceStateError,
        InvalidInputError,
        NonDeterminismError,
        NotDurableError,
        PayloadError,
        ScheduleExistsError,
        ScheduleNotFoundError,
        StorageError,
        StorageUnavailableError,
        TaskFailedError,
        VersionMismatchError,
    )
    from durable_ext.functions.app import DurableApp, DurableBlueprint
    from durable_ext.functions.client import DurableClient
    from durable_ext.functions.drop_in import (
        Blueprint,
        DFApp,
        DurableEntityContext,
        DurableFunctionsClient,
        DurableFunctionsCompatibilityWarning,
        DurableOrchestrationClient,
        DurableOrchestrationContext,
        DurableOrchestrationStatus,
        Entity,
        EntityStateResponse,
        OrchestrationRuntimeStatus,
        Orchestrator,
        PurgeHistoryResult,
        RetryOptions,
        SyncDurableFunctionsClient,
    )
    from durable_ext.providers.contract import InstanceFilter
    from durable_ext.records.entity_id import EntityId
    from durable_ext.records.failures import Failure
    from durable_ext.records.instance import RuntimeStatus
    from durable_ext.records.versions import VersionFailure, VersionMatch
    from durable_ext.worker.client import Client, StartOptions
    from durable_ext.worker.client.entities import EntityStatus
    from durable_ext.worker.client.listing import StatusPage
    from durable_ext.worker.client.schedules import ScheduleClient, ScheduleDescription
    from durable_ext.worker.lifecycle import Lifecycle
    from durable_ext.worker.settings import WorkerSettings
    from durable_ext.worker.worker import Worker

_HOMES = {
    "ActivityContext": "authoring.activity_context",
    "ActivityError": "errors",
    "ActivityOutcomeUnknownError": "errors",
    "ActivityProcessError": "errors",
    "ActivityProgress": "authoring.activity_progress",
    "ActivityTimedOutError": "errors",
    "Blueprint": "functions.drop_in",
    "Client": "worker.client",
    "ConfigurationError": "errors",
    "Converter": "authoring.payload",
    "DFApp": "functions.drop_in",
    "DuplicateNameError": "errors",
    "DurableApp": "functions.app",
    "DurableBlueprint": "functions.app",
    "DurableClient": "functions.client",
    "DurableEntity": "authoring.entities",
    "DurableEntityContext": "functions.drop_in",
    "DurableError": "errors",
    "DurableFunctionsClient": "functions.drop_in",
    "DurableFunctionsCompatibilityWarning": "functions.drop_in",
    "DurableHttpRequest": "authoring.http_records",
    "DurableHttpResponse": "authoring.http_records",
    "DurableOrchestrationClient": "functions.drop_in",
    "DurableOrchestrationContext": "functions.drop_in",
    "DurableOrchestrationStatus": "functions.drop_in",
    "EncryptedConverter": "authoring.encryption",
    "EndlessTurnError": "errors",
    "Entity": "functions.drop_in",
    "EntityContext": "authoring.entity_context",
    "EntityId": "records.entity_id",
    "EntityLockLostError": "errors",
    "EntityStateResponse": "functions.drop_in",
    "EntityStatus": "worker.client.entities",
    "Failure": "records.failures",
    "HttpRequestError": "errors",
    "HubMismatchError": "errors",
    "InstanceExistsError": "errors",
    "InstanceFilter": "providers.contract",
    "InstanceNotFoundError": "errors",
    "InstanceStateError": "errors",
    "InstanceStatus": "authoring.status",
    "InvalidInputError": "errors",
    "JsonConverter": "authoring.payload",
    "Lifecycle": "worker.lifecycle",
    "LifecycleEvent": "authoring.lifecycle",
    "LifecyclePublisher": "authoring.lifecycle",
    "ManagedIdentityTokenSource": "authoring.http_records",
    "NonDeterminismError": "errors",
    "NotDurableError": "errors",
    "OrchestrationContext": "authoring.context",
    "OrchestrationRuntimeStatus": "functions.drop_in",
    "Orchestrator": "functions.drop_in",
    "PayloadCipher": "authoring.encryption",
    "PayloadError": "errors",
    "PurgeHistoryResult": "functions.drop_in",
    "Registry": "authoring.registry",
    "RetryOptions": "functions.drop_in",
    "RetryPolicy": "authoring.retry",
    "RuntimeStatus": "records.instance",
    "ScheduleClient": "worker.client.schedules",
    "ScheduleDescription": "worker.client.schedules",
    "ScheduleExistsError": "errors",
    "ScheduleNotFoundError": "errors",
    "StartOptions": "worker.client",
    "StatusPage": "worker.client.listing",
    "StorageError": "errors",
    "StorageUnavailableError": "errors",
    "SyncDurableFunctionsClient": "functions.drop_in",
    "TaskFailedError": "errors",
    "TokenSource": "authoring.http_records",
    "VersionFailure": "records.versions",
    "VersionMatch": "records.versions",
    "VersionMismatchError": "errors",
    "Worker": "worker.worker",
    "WorkerSettings": "worker.settings",
}

__all__ = [
    "ActivityContext",
    "ActivityError",
    "ActivityOutcomeUnknownError",
    "ActivityProcessError",
    "ActivityProgress",
    "ActivityTimedOutError",
    "Blueprint",
    "Client",
    "ConfigurationError",
    "Converter",
    "DFApp",
    "DuplicateNameError",
    "DurableApp",
    "DurableBlueprint",
    "DurableClient",
    "DurableEntity",
    "DurableEntityContext",
    "DurableError",
    "DurableFunctionsClient",
    "DurableFunctionsCompatibilityWarning",
    "DurableHttpRequest",
    "DurableHttpResponse",
    "DurableOrchestrationClient",
    "DurableOrchestrationContext",
    "DurableOrchestrationStatus",
    "EncryptedConverter",
    "EndlessTurnError",
    "Entity",
    "EntityContext",
    "EntityId",
    "EntityLockLostError",
    "EntityStateResponse",
    "EntityStatus",
    "Failure",
    "HttpRequestError",
    "HubMismatchError",
    "InstanceExistsError",
    "InstanceFilter",
    "InstanceNotFoundError",
    "InstanceStateError",
    "InstanceStatus",
    "InvalidInputError",
    "JsonConverter",
    "Lifecycle",
    "LifecycleEvent",
    "LifecyclePublisher",
    "ManagedIdentityTokenSource",
    "NonDeterminismError",
    "NotDurableError",
    "OrchestrationContext",
    "OrchestrationRuntimeStatus",
    "Orchestrator",
    "PayloadCipher",
    "PayloadError",
    "PurgeHistoryResult",
    "Registry",
    "RetryOptions",
    "RetryPolicy",
    "RuntimeStatus",
    "ScheduleClient",
    "ScheduleDescription",
    "ScheduleExistsError",
    "ScheduleNotFoundError",
    "StartOptions",
    "StatusPage",
    "StorageError",
    "StorageUnavailableError",
    "SyncDurableFunctionsClient",
    "TaskFailedError",
    "TokenSource",
    "VersionFailure",
    "VersionMatch",
    "VersionMismatchError",
    "Worker",
    "WorkerSettings",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'durable_ext' has no attribute {name!r}")
    value = getattr(import_module(f"durable_ext.{home}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
