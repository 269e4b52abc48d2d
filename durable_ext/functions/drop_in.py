"""Our classes under the names that azure-functions-durable has for them. The same classes, so isinstance says so."""

from __future__ import annotations

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.entity_context import EntityContext
from durable_ext.authoring.http_records import (
    DurableHttpRequest,
    DurableHttpResponse,
    ManagedIdentityTokenSource,
    TokenSource,
)
from durable_ext.authoring.tasks import AllTask, AnyTask, GeneratorTask, TaskState, TimerTask
from durable_ext.functions.app import DurableApp, DurableBlueprint
from durable_ext.functions.blocking import BlockingClient
from durable_ext.functions.client import DurableClient
from durable_ext.functions.client_binding import DurableOrchestrationClient
from durable_ext.functions.created import Entity, Orchestrator
from durable_ext.functions.retry_options import RetryOptions
from durable_ext.functions.status import (
    DurableOrchestrationStatus,
    EntityStateResponse,
    OrchestrationRuntimeStatus,
    PurgeHistoryResult,
)
from durable_ext.records.entity_id import EntityId

DFApp = DurableApp
Blueprint = DurableBlueprint
DurableOrchestrationContext = OrchestrationContext
DurableEntityContext = EntityContext
TaskBase = GeneratorTask
AtomicTask = GeneratorTask
RetryAbleTask = GeneratorTask
LongTimerTask = TimerTask
WhenAllTask = AllTask
WhenAnyTask = AnyTask
# Names of 2.x.
DurableFunctionsClient = DurableClient
SyncDurableFunctionsClient = BlockingClient


class DurableFunctionsCompatibilityWarning(UserWarning):
    """There for code that filters it; never issued."""


__all__ = [
    "AtomicTask",
    "Blueprint",
    "DFApp",
    "DurableEntityContext",
    "DurableFunctionsClient",
    "DurableFunctionsCompatibilityWarning",
    "DurableHttpRequest",
    "DurableHttpResponse",
    "DurableOrchestrationClient",
    "DurableOrchestrationContext",
    "DurableOrchestrationStatus",
    "Entity",
    "EntityId",
    "EntityStateResponse",
    "LongTimerTask",
    "ManagedIdentityTokenSource",
    "OrchestrationRuntimeStatus",
    "Orchestrator",
    "PurgeHistoryResult",
    "RetryAbleTask",
    "RetryOptions",
    "SyncDurableFunctionsClient",
    "TaskBase",
    "TaskState",
    "TimerTask",
    "TokenSource",
    "WhenAllTask",
    "WhenAnyTask",
]
