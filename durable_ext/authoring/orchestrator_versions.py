"""Several functions under one orchestrator name, and which of them runs an execution: that of its pinned version.

By name alone an orchestrator is its function without a version, else that of the newest; only code that describes or
lists orchestrators looks by name alone.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import TYPE_CHECKING, Any

from durable_ext.errors import ConfigurationError, DuplicateNameError
from durable_ext.records.versions import compare

if TYPE_CHECKING:
    from durable_ext.authoring.registry import OrchestratorDefinition


class OrchestratorVersions:
    """The functions that have a version, by name, newest first. `shown`: what each name means by itself."""

    def __init__(self, shown: dict[str, OrchestratorDefinition]) -> None:
        self._shown = shown
        self._versions: dict[str, list[OrchestratorDefinition]] = {}

    def find(self, name: str, version: str | None) -> OrchestratorDefinition | None:
        """The function of just this version, else the one without a version."""
        for definition in self._versions.get(name, ()):
            if version and compare(version, definition.version) == 0:
                return definition
        shown = self._shown.get(name)
        return shown if shown is None or shown.version is None else None

    def of(self, name: str) -> tuple[OrchestratorDefinition, ...]:
        """All functions under a name: first the one without a version, if there is one, then from the newest on."""
        shown = self._shown.get(name)
        plain = () if shown is None or shown.version is not None else (shown,)
        return (*plain, *self._versions.get(name, ()))

    def add(self, definition: OrchestratorDefinition) -> None:
        """Enter a function with a version. Raises DuplicateNameError for a version that another function has."""
        several = self._versions.setdefault(definition.name, [])
        present = next((one for one in several if compare(one.version, definition.version) == 0), None)
        if present is None:
            several.append(definition)
            several.sort(key=cmp_to_key(lambda one, other: compare(other.version, one.version)))
        elif present.function is not definition.function:
            raise DuplicateNameError(
                f"two orchestrator functions are called {definition.name!r} and have version {definition.version!r}: "
                f"{_place(present)} and {_place(definition)}; give one of them another version"
            )
        self._show(definition.name)

    def take_out(self, definition: OrchestratorDefinition) -> None:
        """Forget a function, with or without a version."""
        several = self._versions.get(definition.name, [])
        if definition in several:
            several.remove(definition)
        if self._shown.get(definition.name) is definition:
            del self._shown[definition.name]
        self._show(definition.name)

    def change(self, name: str, make: Callable[[OrchestratorDefinition], OrchestratorDefinition]) -> None:
        """Put others in the place of all functions under a name."""
        shown = self._shown[name]
        self._versions[name] = [make(definition) for definition in self._versions.get(name, ())]
        if shown.version is None:
            self._shown[name] = make(shown)
        self._show(name)

    def _show(self, name: str) -> None:
        several, shown = self._versions.get(name), self._shown.get(name)
        if several and (shown is None or shown.version is not None):
            self._shown[name] = several[0]


def checked_version(name: str, version: Any) -> str | None:
    """A version as it was given for a function; None for an empty one. Raises ConfigurationError."""
    if version is not None and not isinstance(version, str):
        raise ConfigurationError(f'version of orchestrator {name!r} is {version!r}; it takes text, as in version="2.0"')
    return version or None


def _place(definition: OrchestratorDefinition) -> str:
    code = getattr(definition.function, "__code__", None)
    module = definition.function.__module__
    return f"{module}:{code.co_firstlineno}" if code is not None else module
