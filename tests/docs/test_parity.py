"""docs/parity.md has a row for each feature of its checklists, and every name and every test in it is there."""

from __future__ import annotations

import importlib
import inspect
import re
from collections import Counter
from typing import Any, NamedTuple

import pytest

import durable_ext
from durable_ext.host.cli import make_parser

from .pages import DOCS, read
from .parity_rows import CHECKLISTS

PAGE = "parity.md"
STANDINGS = ("ours", "otherwise", "not yet")
# A reason says more than a word.
_SHORTEST_REASON = 20
_SECTION = re.compile(r"^## ([^\n]+)$(.*?)(?=^## |\Z)", flags=re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`([^`]+)`")
_TEST = re.compile(r"(tests/[\w/]+)\.py::(test_\w+)")
# A public name, and perhaps an argument: Client.get, durable_ext.models.TaskBase, Client.restart(new_instance_id=).
_NAME = re.compile(r"((?:durable_ext\.[\w.]+)|(?:[A-Z]\w+(?:\.\w+)*))(?:\((\w+)=\))?")
_UNPACKED = re.compile(r"Unpack\[(\w+)\]")
# What belongs to Python.
_PYTHON = ("asyncio.", "await", "return", "cancel()", "logging", "async def", "str(")


class Row(NamedTuple):
    """A row of the page."""

    section: str
    there: str
    standing: str
    here: str
    why: str

    @property
    def tests(self) -> list[str]:
        return [code for code in _CODE.findall(self.why) if code.startswith("tests/")]

    @property
    def words(self) -> str:
        """What the last cell says beside the tests."""
        return re.sub(r"`tests/[^`]*`", "", self.why).strip()


def rows(text: str) -> list[Row]:
    """The rows of all sections."""
    found: list[Row] = []
    for section, body in _SECTION.findall(text):
        lines = [line for line in body.splitlines() if line.startswith("|")]
        found += [Row(section, *(cell.strip() for cell in line.strip("|").split("|"))) for line in lines[2:]]
    return found


def is_test(reference: str) -> bool:
    """Whether the test is there; the module is imported, so that one who is only told of in a text does not count."""
    if not (match := _TEST.fullmatch(reference)):
        return False
    module, name = match.groups()
    if not (DOCS.parent / f"{module}.py").is_file():
        return False
    return callable(getattr(importlib.import_module(module.replace("/", ".")), name, None))


def is_public(name: str) -> bool:
    """Whether the name is there: at the door or in the module it says, with its members and the argument it takes."""
    if not (match := _NAME.fullmatch(name)):
        return False
    path, argument = match.groups()
    found: Any = durable_ext
    for part in path.removeprefix("durable_ext.").split("."):
        before, found = found, _member(found, part)
        if found is None:
            return inspect.isclass(before) and argument is None and part in inspect.signature(before).parameters
    return argument is None or argument in arguments(found)


def _member(of: Any, name: str) -> Any:
    if not inspect.ismodule(of) or hasattr(of, name):
        return getattr(of, name, None)
    try:
        return importlib.import_module(f"{of.__name__}.{name}")
    except ModuleNotFoundError:
        return None


def arguments(called: Any) -> set[str]:
    """What a call takes by keyword, with the keys of the options it unpacks."""
    names: set[str] = set()
    for parameter in inspect.signature(called).parameters.values():
        unpacked = _UNPACKED.fullmatch(str(parameter.annotation))
        names |= set(called.__globals__[unpacked[1]].__annotations__) if unpacked else {parameter.name}
    return names


def is_command(code: str) -> bool:
    choices = next(action.choices for action in make_parser()._actions if action.choices)  # pyright: ignore[reportPrivateUsage]
    return code.startswith("durable ") and code.removeprefix("durable ") in choices


def is_setting(code: str) -> bool:
    """Whether the page on settings has it; that page is held against the reader of settings."""
    return code.startswith("DURABLE_") and f"`{code}`" in read("settings.md")


def is_known(code: str) -> bool:
    return is_public(code) or is_command(code) or is_setting(code) or code.startswith(_PYTHON)


def faults(row: Row) -> list[str]:
    """What is wrong with a row."""
    wrong: list[str] = []
    if row.standing not in STANDINGS:
        wrong.append("no standing")
    if row.standing == "ours" and not row.tests:
        wrong.append("no test")
    if row.standing == "ours" and row.here == "nothing":
        wrong.append("nothing of ours")
    if row.standing != "ours" and len(row.words) < _SHORTEST_REASON:
        wrong.append("no reason")
    return wrong


def test_every_row_of_the_checklists_stands_there_once() -> None:
    found: dict[str, list[str]] = {}
    for row in rows(read(PAGE)):
        found.setdefault(row.section, []).append(row.there)
    assert found == {section: list(names) for section, names in CHECKLISTS.items()}
    assert [(row, n) for row, n in Counter((row.section, row.there) for row in rows(read(PAGE))).items() if n > 1] == []


def test_every_row_has_a_standing_and_a_test_or_a_reason() -> None:
    assert {row.there: wrong for row in rows(read(PAGE)) if (wrong := faults(row))} == {}


def test_counts_at_the_top_are_right() -> None:
    counted = Counter(row.standing for row in rows(read(PAGE)))
    counted["all"] = counted.total()
    head = read(PAGE).partition("\n## ")[0]
    told = {standing: int(count) for standing, count in re.findall(r"^\| ([a-z ]+) \| (\d+) \|$", head, re.MULTILINE)}
    assert told == {standing: counted[standing] for standing in (*STANDINGS, "all")}


def test_every_test_named_is_there() -> None:
    named = {test for row in rows(read(PAGE)) for test in row.tests}
    assert len(named) > 150
    assert sorted(test for test in named if not is_test(test)) == []


def test_every_name_is_there() -> None:
    named = {code for row in rows(read(PAGE)) for code in _CODE.findall(row.here)}
    assert len(named) > 150
    assert sorted(code for code in named if not is_known(code)) == []


@pytest.mark.parametrize(
    "reference",
    [
        "tests/docs/test_parity.py::test_nothing_of_the_kind",
        "tests/docs/test_nothing.py::test_every_test_named_is_there",
        "test_every_test_named_is_there",
    ],
)
def test_a_test_that_is_not_there_is_found(reference: str) -> None:
    assert not is_test(reference)


@pytest.mark.parametrize(
    "name",
    [
        *("Nobody", "Client.nothing", "Client.get(nothing=)", "OrchestrationContext.call_activity(nothing=)"),
        *("durable_ext.models.Nobody", "durable_ext.nothing", "durable nothing", "nothing", "DURABLE_"),
    ],
)
def test_a_name_that_is_not_there_is_found(name: str) -> None:
    assert not is_known(name)


def test_a_faulty_row_is_found() -> None:
    test = "`tests/docs/test_parity.py::test_a_faulty_row_is_found`"
    planted = [
        Row("s", "a", "ours", "`Client.get`", "It is there, no doubt of that."),
        Row("s", "b", "ours", "nothing", test),
        Row("s", "c", "otherwise", "`Client.get`", f"So. {test}"),
        Row("s", "d", "later", "nothing", "Somebody is going to make it."),
    ]
    assert [faults(row) for row in planted] == [["no test"], ["nothing of ours"], ["no reason"], ["no standing"]]
