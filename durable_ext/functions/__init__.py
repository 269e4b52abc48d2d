"""Durable orchestrations in a Functions app. The only room that imports azure.functions (F1)."""

from __future__ import annotations

from durable_ext.functions.app import DurableApp, DurableBlueprint
from durable_ext.functions.blocking import BlockingClient
from durable_ext.functions.client import DurableClient
from durable_ext.functions.retry_options import RetryOptions
from durable_ext.functions.status import DurableOrchestrationStatus, OrchestrationRuntimeStatus

__all__ = [
    "BlockingClient",
    "DurableApp",
    "DurableBlueprint",
    "DurableClient",
    "DurableOrchestrationStatus",
    "OrchestrationRuntimeStatus",
    "RetryOptions",
]
