"""Several functions under one name: which of them a version finds, and what is refused when they are registered."""

from __future__ import annotations

from typing import Any, cast

import pytest

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.registry import SCHEDULE, Registry
from durable_ext.errors import ConfigurationError, DuplicateNameError, VersionMismatchError


async def plain(ctx: OrchestrationContext) -> str:
    return "plain"


async def first(ctx: OrchestrationContext) -> int:
    return 1


async def second(ctx: OrchestrationContext) -> list[int]:
    return [2]


def several(*, with_plain: bool = True) -> Registry:
    registry = Registry()
    registry.add_orchestrator(first, "greet", version="1.0")
    registry.add_orchestrator(second, "greet", version="2.0")
    if with_plain:
        registry.add_orchestrator(plain, "greet")
    return registry


def function_of(registry: Registry, version: str | None) -> Any:
    definition = registry.find_orchestrator("greet", version)
    return None if definition is None else definition.function


@pytest.mark.parametrize(
    ("version", "function"), [("1.0", first), ("1", first), ("2.0", second), ("3.0", plain), (None, plain), ("", plain)]
)
def test_the_exact_version_else_the_one_without(version: str | None, function: Any) -> None:
    assert function_of(several(), version) is function


@pytest.mark.parametrize(
    ("version", "text"), [("3.0", "for version '3.0'; registered versions: 2.0, 1.0"), (None, "without a version")]
)
def test_nothing_else_is_found(version: str | None, text: str) -> None:
    registry = several(with_plain=False)
    assert function_of(registry, version) is None
    assert registry.knows_orchestrator("greet")
    error = registry.missing("greet", version)
    assert isinstance(error, VersionMismatchError)
    assert text in str(error)
    assert not isinstance(registry.missing("nobody", version), VersionMismatchError)


@pytest.mark.parametrize("with_plain", [True, False])
def test_by_name_alone_the_one_without_a_version_else_the_newest(with_plain: bool) -> None:
    registry = several(with_plain=with_plain)
    assert registry.orchestrators["greet"].function is (plain if with_plain else second)
    assert len(registry.versions.of("greet")) == 2 + with_plain


def test_a_plain_one_that_comes_first_stays() -> None:
    registry = Registry()
    registry.add_orchestrator(plain, "greet")
    registry.add_orchestrator(first, "greet", version="1.0")
    assert registry.orchestrators["greet"].function is plain


def test_duplicates() -> None:
    registry = several()
    registry.add_orchestrator(second, "greet", version="2.0")
    with pytest.raises(DuplicateNameError, match=r"version '2\.0'.*another version"):
        registry.add_orchestrator(first, "greet", version="2.0")
    with pytest.raises(DuplicateNameError, match="another name"):
        registry.add_orchestrator(second, "greet")
    with pytest.raises(DuplicateNameError):
        registry.add_orchestrator(first, "greet", version="2")


def test_a_version_is_text() -> None:
    with pytest.raises(ConfigurationError, match="it takes text"):
        Registry().add_orchestrator(plain, version=cast("str", 2.0))
    with pytest.raises(ConfigurationError, match="default_version"):
        Registry(default_version=cast("str", 2))


def test_a_blueprint_brings_its_versions() -> None:
    app = Registry()
    app.add_orchestrator(plain, "greet")
    app.include(several(with_plain=False))
    assert function_of(app, "1.0") is first
    assert function_of(app, "9") is plain
    assert app.version_for(second) == "2.0"


def test_renamed() -> None:
    registry = several()
    assert registry.rename(second, "welcome")
    assert function_of(registry, "2.0") is plain
    assert registry.orchestrators["welcome"].function is second
    assert registry.rename(plain, "hello")
    assert registry.orchestrators["greet"].function is first
    assert registry.name_of(plain) == "hello"


@pytest.mark.parametrize(
    ("called", "asked", "version"),
    [
        ("greet", None, "1.5"),
        ("greet", "1.0", "1.0"),
        ("greet", "", None),
        (plain, None, "1.5"),
        (second, None, "2.0"),
        (second, "1.0", "1.0"),
        (SCHEDULE, None, None),
    ],
)
def test_the_version_of_what_is_started(called: Any, asked: str | None, version: str | None) -> None:
    registry = Registry(default_version="1.5")
    registry.include(several())
    assert registry.version_for(called, asked) == version
