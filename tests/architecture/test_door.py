"""The public door: which names `durable_ext` promises, and how little importing it costs (F4).

A change of PUBLIC is a change of the promise: it belongs into CHANGELOG.md.
"""

from __future__ import annotations

import ast
import subprocess
import sys

import pytest

from .source import PACKAGE, ROOT, Module, module, modules

# Sorted. What users may import from `durable_ext`, and nothing else.
PUBLIC: tuple[str, ...] = (
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
)

# What a cold start must not pay for before somebody needs it.
HEAVY = (
    "azure",
    "aiohttp",
    "starlette",
    "uvicorn",
    "sqlite3",
    "httpx",
    "requests",
    "cryptography",
    "pydantic",
    "opentelemetry",
)

SHOW_IMPORTED = """
import sys
before = set(sys.modules)
import durable_ext
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}), sep="\\n")
"""


def promised(door: Module) -> list[str]:
    """The names of `__all__`; none when the module has no such list."""
    for node in door.tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
            value = getattr(node, "value", None)
            return [str(name) for name in ast.literal_eval(value)] if isinstance(value, ast.expr) else []
    return []


def door() -> Module:
    return next((source for source in modules(PACKAGE) if source.name == PACKAGE), module(PACKAGE, ""))


def imported_by_the_door(statement: str = "") -> set[str]:
    """Top-level modules that a fresh interpreter has loaded after `import durable_ext` and the statement."""
    code = SHOW_IMPORTED.replace("import durable_ext", f"import durable_ext\n{statement}")
    shown = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    return set(shown.stdout.split())


def test_public_names() -> None:
    assert promised(door()) == list(PUBLIC)
    assert list(PUBLIC) == sorted(set(PUBLIC))


def test_public_names_exist() -> None:
    package = __import__(PACKAGE)
    assert [name for name in PUBLIC if not hasattr(package, name)] == []


def test_the_door_opens_without_heavy_libraries() -> None:
    assert imported_by_the_door() & set(HEAVY) == set()


def test_a_heavy_import_would_be_seen() -> None:
    assert imported_by_the_door("import sqlite3") & set(HEAVY) == {"sqlite3"}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("__all__ = ['b', 'a']", ["b", "a"]),
        ("__all__: list[str] = ['a']", ["a"]),
        ("x = 1", []),
    ],
)
def test_the_list_is_read(text: str, names: list[str]) -> None:
    assert promised(module(PACKAGE, text)) == names
