"""docs/cli.md and README.md say what the code does."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from durable_ext.functions.local import index
from durable_ext.host.apps import load_app
from durable_ext.host.cli import make_parser
from durable_ext.host.exit_codes import ExitCode

ROOT = Path(__file__).resolve().parents[2]
CLI = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def parsers(parser: argparse.ArgumentParser, name: str = "durable") -> Iterator[tuple[str, argparse.ArgumentParser]]:
    """Every command with its full name."""
    every: list[Any] = [action.choices for action in actions(parser)]
    families = [choices for choices in every if hasattr(choices, "items")]
    if not families:
        yield name, parser
    for commands in families:
        for word, inner in commands.items():
            yield from parsers(inner, f"{name} {word}")


def actions(parser: argparse.ArgumentParser) -> list[argparse.Action]:
    return parser._actions  # pyright: ignore[reportPrivateUsage]


def options(parser: argparse.ArgumentParser) -> set[str]:
    words = {word for action in actions(parser) for word in action.option_strings}
    return {word for word in words if word.startswith("--")} - {"--help"}


def test_every_command_and_option_is_documented() -> None:
    for name, parser in parsers(make_parser()):
        assert f"`{name}" in CLI
        assert {word for word in options(parser) if word not in CLI} == set()


def test_commands_in_all_pages_exist() -> None:
    """In fences and in code in a line: the command, and each of its options."""
    known = {name: options(parser) for name, parser in parsers(make_parser())}
    wrong: list[str] = []
    for page in [*sorted((ROOT / "docs").glob("*.md")), ROOT / "README.md"]:
        for line in re.findall(
            r"(?:`|^|\bbin/|&& )(durable [a-z][^`\n#]*)", page.read_text(encoding="utf-8"), re.MULTILINE
        ):
            name = next(
                (name for name in sorted(known, key=len, reverse=True) if f"{line} ".startswith(f"{name} ")), ""
            )
            used = set(re.findall(r"(?<=\s)--[a-z][a-z-]+", line.split("|")[0]))
            if any(one.startswith(f"{line} ") for one in known):
                continue  # a family
            if not name or used - known[name] - {"--help"}:
                wrong.append(f"{page.name}: {line}")
    assert wrong == []


def test_no_option_is_documented_that_is_not_there() -> None:
    known = {word for _, parser in parsers(make_parser()) for word in options(parser)}
    assert set(re.findall(r"--[a-z][a-z-]+", CLI)) - known == set()


def test_exit_codes_are_those_of_the_code() -> None:
    section = CLI.partition("## Exit codes")[2]
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", section, re.MULTILINE)} == {
        int(code) for code in ExitCode
    }


def test_the_readme_opens_with_two_commands() -> None:
    fence = README.partition("```")[2].partition("```")[0]
    assert [line.split("#")[0].strip() for line in fence.splitlines()[1:]] == ["make run", "make test"]


def test_the_example_of_the_readme_is_an_app(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = README.partition("```python\n")[2].partition("```")[0]
    assert len(text.splitlines()) <= 30
    file = tmp_path / "readme_app.py"
    file.write_text(text, encoding="utf-8")
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")
    monkeypatch.setattr(sys, "path", list(sys.path))
    functions = index(load_app(file))
    functions.close()
    assert set(functions.registry.orchestrators) == {"order_approval"}


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_of_the_readme_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()
