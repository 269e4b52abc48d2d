"""The sub-modules of `azure.durable_functions` that people import from, for their imports alone.

They are made from one table instead of files, because a module and the class in it have the same name there: what
`models.RetryOptions` means must not depend on who imported what before.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any

from durable_ext.functions import drop_in

# The sub-modules of `models`, and what is in each.
SUBMODULES: dict[str, tuple[str, ...]] = {
    "DurableEntityContext": ("DurableEntityContext",),
    "DurableHttpRequest": ("DurableHttpRequest",),
    "DurableOrchestrationClient": ("DurableOrchestrationClient",),
    "DurableOrchestrationContext": ("DurableOrchestrationContext",),
    "DurableOrchestrationStatus": ("DurableOrchestrationStatus",),
    "EntityStateResponse": ("EntityStateResponse",),
    "OrchestrationRuntimeStatus": ("OrchestrationRuntimeStatus",),
    "PurgeHistoryResult": ("PurgeHistoryResult",),
    "RetryOptions": ("RetryOptions",),
    "Task": (
        *("TaskBase", "AtomicTask", "TimerTask", "LongTimerTask", "WhenAllTask", "WhenAnyTask"),
        *("RetryAbleTask", "TaskState"),
    ),
    "TokenSource": ("TokenSource", "ManagedIdentityTokenSource"),
    "utils": (),
    "utils.entity_utils": ("EntityId",),
}

# Those beside `models`.
BESIDE_MODELS: dict[str, tuple[str, ...]] = {
    "decorators": (),
    "decorators.durable_app": ("Blueprint", "DFApp"),
    "entity": ("Entity",),
    "orchestrator": ("Orchestrator",),
}


def put_submodules(parent: str, table: Mapping[str, Sequence[str]] = SUBMODULES) -> None:
    """Make the sub-modules of a table importable below a module of this name."""
    for name, names in table.items():
        module = ModuleType(
            f"{parent}.{name}", f"Names of azure-functions-durable: {', '.join(names) or 'in sub-modules'}."
        )
        vars(module).update({item: getattr(drop_in, item) for item in names})
        # There a module has what it imports for itself, too, and documentation imports it from there.
        vars(module)["__getattr__"] = _look_up(module.__name__)
        module.__path__ = []
        sys.modules[module.__name__] = module


def name_in_models(name: str) -> Any:
    """What `models` has under a name. Raises AttributeError."""
    if name in drop_in.__all__:
        return getattr(drop_in, name)
    raise AttributeError(f"there is no {name!r} among the models")


def _look_up(module: str) -> Callable[[str], Any]:
    def look_up(name: str) -> Any:
        if name in drop_in.__all__:
            return getattr(drop_in, name)
        raise AttributeError(f"module {module!r} has no attribute {name!r}")

    return look_up
