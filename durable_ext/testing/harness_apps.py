"""What a test hands over as its app, and the registry in it."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from durable_ext.authoring.registry import Registry
from durable_ext.errors import ConfigurationError


def app_of(given: Any) -> Any:
    """The app itself: of a module its `app`, or else the one function app or registry in it.

    Raises ConfigurationError.
    """
    if not isinstance(given, ModuleType):
        return given
    app = getattr(given, "app", None)
    if app is not None:
        return app
    found = {id(value): value for value in vars(given).values() if _is_app(value)}
    if len(found) != 1:
        raise ConfigurationError(
            f"module {given.__name__} has {len(found)} apps and none called app; hand over the one that is meant"
        )
    return next(iter(found.values()))


def registry_of(app: Any) -> Registry:
    """The orchestrators and activities of an app: a DurableApp, a blueprint, a Registry, or a plain func.FunctionApp
    that has taken over a DurableBlueprint. Raises ConfigurationError when there are none."""
    if isinstance(app, Registry):
        return app
    if hasattr(app, "get_functions") or isinstance(getattr(app, "registry", None), Registry):
        from durable_ext.functions.app import named_registry

        return named_registry(app)
    raise ConfigurationError(
        f"{app!r} has no orchestrations: hand over a DurableApp, a function app with a DurableBlueprint, a blueprint, "
        "a module with one of them, or a Registry"
    )


def _is_app(value: Any) -> bool:
    return isinstance(value, Registry) or (hasattr(value, "get_functions") and not isinstance(value, type))
