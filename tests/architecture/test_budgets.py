"""Small rooms: lines of a function and of a module, parameters, and names that say nothing (design section 3).

Complexity is ruff's (C901); here only that nobody loosens it. The exception lists name a function with its size: they
may only shrink, and an entry that is no longer needed fails.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping

import pytest

from .source import PACKAGE, ROOT, Function, Module, docstring, functions, module, modules, product

FUNCTION_LINES = 40
FUNCTION_LINES_HARD = 60
MODULE_LINES = 400
PARAMETERS = 5

# `durable_ext.room.module:Class.function` to its lines, at most FUNCTION_LINES_HARD.
LONG_FUNCTIONS: dict[str, int] = {}

# The same to its parameters. For signatures that azure-functions-durable has given (F1).
WIDE_FUNCTIONS: dict[str, int] = {}

BANNED_MODULE_NAMES = {"util", "utils", "helper", "helpers", "manager", "managers", "common", "base", "misc", "shared"}

NOT_PRODUCT = ("tests", "benchmarks", "tools")


def length(function: Function) -> int:
    """Lines from `def` to the end, the docstring not counted."""
    doc = docstring(function)
    skipped = (doc.end_lineno or doc.lineno) - doc.lineno + 1 if doc else 0
    return (function.end_lineno or function.lineno) - function.lineno + 1 - skipped


def parameters(function: Function) -> int:
    """Named parameters, self and cls not counted."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(1 for item in named if item.arg not in {"self", "cls"})


def over(sizes: Mapping[str, int], limit: int, allowed: Mapping[str, int]) -> list[str]:
    """What is over the limit and not written down, and what is written down and not so."""
    too_big = [f"{name} has {size}, the limit is {limit}" for name, size in sizes.items() if size > limit]
    kept = [line for line in too_big if line.partition(" ")[0] not in allowed]
    stale = [f"{name} is listed with {size}" for name, size in allowed.items() if sizes.get(name, 0) != size]
    needless = [f"{name} needs no exception" for name, size in allowed.items() if size <= limit]
    return kept + stale + needless


def lengths(sources: tuple[Module, ...]) -> dict[str, int]:
    return {f"{source.name}:{name}": length(function) for source in sources for name, function in functions(source)}


def widths(sources: tuple[Module, ...]) -> dict[str, int]:
    return {f"{source.name}:{name}": parameters(function) for source in sources for name, function in functions(source)}


def module_lengths(sources: tuple[Module, ...]) -> dict[str, int]:
    return {source.place: len(source.text.splitlines()) for source in sources}


def idle_names(sources: tuple[Module, ...]) -> list[str]:
    """Modules whose name, or a word of it, says nothing about what is in them."""
    return [
        source.place
        for source in sources
        if BANNED_MODULE_NAMES & set(source.name.rpartition(".")[2].strip("_").split("_"))
    ]


def everything() -> tuple[Module, ...]:
    return product() + tuple(source for folder in NOT_PRODUCT for source in modules(folder))


def test_functions_are_short() -> None:
    assert over(lengths(product()), FUNCTION_LINES, LONG_FUNCTIONS) == []
    assert max(LONG_FUNCTIONS.values(), default=0) <= FUNCTION_LINES_HARD


def test_functions_of_tests_and_tools_keep_the_hard_limit() -> None:
    others = tuple(source for folder in NOT_PRODUCT for source in modules(folder))
    assert over(lengths(others), FUNCTION_LINES_HARD, {}) == []


def test_modules_are_short() -> None:
    assert over(module_lengths(everything()), MODULE_LINES, {}) == []


def test_parameters_are_few() -> None:
    assert over(widths(product()), PARAMETERS, WIDE_FUNCTIONS) == []


def test_module_names_say_something() -> None:
    assert idle_names(everything()) == []


def test_every_module_of_the_package_says_its_idea() -> None:
    assert [source.place for source in modules(PACKAGE) if docstring(source.tree) is None] == []


def test_ruff_keeps_the_same_budgets() -> None:
    lint = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["ruff"]["lint"]
    assert lint["mccabe"]["max-complexity"] == 10
    assert lint["pylint"]["max-args"] == PARAMETERS
    assert {"C90", "PLR0913", "BLE", "S"} <= set(lint["select"])
    loosened = [code for folder, codes in lint["per-file-ignores"].items() if "tests" not in folder for code in codes]
    assert {"C90", "C901", "BLE", "BLE001"}.isdisjoint(loosened)


def test_no_line_of_the_package_silences_a_budget() -> None:
    silenced = [
        f"{source.place}:{number}"
        for source in modules(PACKAGE)
        for number, line in enumerate(source.text.splitlines(), start=1)
        if "noqa" in line and "C901" in line
    ]
    assert silenced == []


def planted(lines: int, header: str = "def f():") -> Module:
    return module(f"{PACKAGE}.worker.x", header + "\n" + "    pass\n" * (lines - 1))


@pytest.mark.parametrize("header", ["def f():", "async def f():", "class A:\n  def f(self):"])
def test_a_planted_long_function_is_found(header: str) -> None:
    assert over(lengths((planted(40, header),)), FUNCTION_LINES, {}) == []
    assert len(over(lengths((planted(41, header),)), FUNCTION_LINES, {})) == 1


def test_a_docstring_is_not_counted() -> None:
    text = '"""' + "word\n" * 30 + '"""'
    source = module(f"{PACKAGE}.worker.x", f"def f():\n    {text}\n" + "    pass\n" * 39)
    assert over(lengths((source,)), FUNCTION_LINES, {}) == []


def test_an_exception_may_only_shrink() -> None:
    name = f"{PACKAGE}.worker.x:f"
    sizes = lengths((planted(50),))
    assert over(sizes, FUNCTION_LINES, {name: 50}) == []
    assert over(sizes, FUNCTION_LINES, {name: 55}) != []
    assert over(lengths((planted(30),)), FUNCTION_LINES, {name: 30}) != []
    assert over({}, FUNCTION_LINES, {name: 50}) != []


def test_a_planted_long_module_is_found() -> None:
    assert over(module_lengths((module("x", "a = 1\n" * 401),)), MODULE_LINES, {}) != []


@pytest.mark.parametrize("text", ["def f(a, b, c, d, e, g): ...", "def f(a, b, *, c, d, e, g): ..."])
def test_planted_parameters_are_found(text: str) -> None:
    assert over(widths((module("x", text),)), PARAMETERS, {}) != []


def test_self_is_no_parameter() -> None:
    text = "class A:\n    def f(self, a, b, c, d, e, *rest, **options): ..."
    assert over(widths((module("x", text),)), PARAMETERS, {}) == []


@pytest.mark.parametrize("name", ["durable_ext.worker.utils", "durable_ext.worker.queue_helpers", "tests.common"])
def test_a_planted_idle_name_is_found(name: str) -> None:
    assert idle_names((module(name, ""),)) == [name.replace(".", "/") + ".py"]


def test_functions_are_found_wherever_they_stand() -> None:
    text = "if True:\n    class A:\n        def f(self):\n            def g(): ...\n            return g"
    assert [name for name, node in functions(module("x", text)) if isinstance(node, ast.FunctionDef)] == [
        "A.f",
        "A.f.g",
    ]
