"""Small habits, large effects: no sleeps in tests, no swallowed failures, nothing of one machine in the repository."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from .source import ROOT, Module, aliases, dotted, module, modules, product, real_name, tracked_files

SLEEPS = {"time.sleep", "asyncio.sleep", "anyio.sleep"}

# In code of an orchestrator `asyncio.sleep` is a durable timer on the turn's time (R2), not a wait of the test.
ORCHESTRATOR_PARAMETERS = {"ctx", "context", "_ctx", "_context"}

BLIND = {"Exception", "BaseException"}
REASONED = re.compile(r"#\s*noqa:\s*BLE001\s*[-:]\s*\S.{8,}")

NOT_PORTABLE = {
    "a path of one machine": re.compile(r"(?<![\w.}$>)~/*-])/(?:wor[k]|roo[t]|tm[p]|User[s]|op[t])/[\w.-]"),
    "a home folder": re.compile(r"(?<![\w.}$>)~-])/hom[e]/(?!site/)[\w.-]"),
    "a drive": re.compile(r"(?<![\w:])[A-Z]:\\{1,2}(?:Users|Program|Temp)", re.IGNORECASE),
    "a package registry": re.compile(
        r"(?:pyp[i][.]org|pythonhoste[d][.]org|registr[y][.](?:npmjs|yarnpkg)|npmmirro[r])"
    ),
}


def sleeps(source: Module) -> list[str]:
    """Waits for the clock on the wall; `asyncio.sleep(0)` only lets others run."""
    known = aliases(source)
    found: list[str] = []

    def visit(node: ast.AST, durable: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.args.args[:1]
            durable = durable or any(item.arg in ORCHESTRATOR_PARAMETERS for item in first)
        if isinstance(node, ast.Call) and real_name(node.func, known) in SLEEPS:
            name = real_name(node.func, known)
            if name == "time.sleep" or not (durable or _is_zero(node)):
                found.append(f"{source.at(node)} waits with {name}")
        for child in ast.iter_child_nodes(node):
            visit(child, durable)

    visit(source.tree, durable=False)
    return found


def _is_zero(call: ast.Call) -> bool:
    return bool(call.args) and isinstance(call.args[0], ast.Constant) and call.args[0].value == 0


def blind_handlers(source: Module) -> list[str]:
    """Handlers of everything that neither raise nor say on their line why not."""
    found: list[str] = []
    for node in ast.walk(source.tree):
        if isinstance(node, ast.ExceptHandler) and _is_blind(node.type) and not _is_excused(source, node):
            found.append(f"{source.at(node)} swallows everything")
        elif isinstance(node, ast.Call) and dotted(node.func).endswith("suppress") and any(map(_is_blind, node.args)):
            found.append(f"{source.at(node)} suppresses everything")
    return found


def _is_blind(kind: ast.expr | None) -> bool:
    if kind is None:
        return True
    kinds = kind.elts if isinstance(kind, ast.Tuple) else [kind]
    return any(dotted(item).rpartition(".")[2] in BLIND for item in kinds)


def _is_excused(source: Module, handler: ast.ExceptHandler) -> bool:
    if handler.type is None:
        return False
    raises = any(isinstance(inner, ast.Raise) for statement in handler.body for inner in ast.walk(statement))
    return raises or REASONED.search(source.line(handler.lineno)) is not None


def not_portable(text: str) -> list[str]:
    """What of the text names one machine, one user or one registry."""
    return [
        f"line {number}: {what}: {match.group()}"
        for number, line in enumerate(text.splitlines(), start=1)
        for what, pattern in NOT_PORTABLE.items()
        if (match := pattern.search(line))
    ]


def _text_of(file: Path) -> str:
    data = file.read_bytes()
    return "" if b"\0" in data else data.decode("utf-8", errors="replace")


def test_tests_do_not_sleep() -> None:
    assert [wrong for source in modules("tests") for wrong in sleeps(source)] == []


def test_no_failure_is_swallowed() -> None:
    sources = product() + modules("tests") + modules("benchmarks") + modules("tools")
    assert [wrong for source in sources for wrong in blind_handlers(source)] == []


def test_the_repository_names_no_machine() -> None:
    assert [
        f"{file.relative_to(ROOT)} {wrong}" for file in tracked_files() for wrong in not_portable(_text_of(file))
    ] == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(0)",
        "from time import sleep\nsleep(1)",
        "import asyncio\nasync def test():\n    await asyncio.sleep(0.1)",
        "from asyncio import sleep\nasync def test(delay):\n    await sleep(delay)",
        "import asyncio as aio\nasync def activity(value):\n    await aio.sleep(2)",
        "import time\ndef orchestrator(ctx):\n    time.sleep(1)",
    ],
)
def test_a_planted_sleep_is_found(text: str) -> None:
    assert len(sleeps(module("tests.x", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasync def test():\n    await asyncio.sleep(0)",
        "import asyncio\nasync def orchestrator(ctx):\n    await asyncio.sleep(3600)",
        "async def test(clock):\n    await clock.sleep(5)",
    ],
)
def test_virtual_time_is_no_sleep(text: str) -> None:
    assert sleeps(module("tests.x", text)) == []


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    f()\nexcept:\n    raise",
        "try:\n    f()\nexcept Exception:\n    g()",
        "try:\n    f()\nexcept (ValueError, BaseException):\n    g()",
        "try:\n    f()\nexcept Exception:  # noqa: BLE001\n    g()",
        "try:\n    f()\nexcept* Exception:\n    g()",
        "import contextlib\nwith contextlib.suppress(Exception):\n    f()",
    ],
)
def test_a_planted_blind_handler_is_found(text: str) -> None:
    assert len(blind_handlers(module("durable_ext.worker.x", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "try:\n    f()\nexcept ValueError:\n    g()",
        "try:\n    f()\nexcept Exception as error:\n    raise RuntimeError from error",
        "try:\n    f()\nexcept Exception:  # noqa: BLE001 - the failure becomes data (R4)\n    g()",
    ],
)
def test_a_handler_that_says_why_is_no_violation(text: str) -> None:
    assert blind_handlers(module("durable_ext.worker.x", text)) == []


@pytest.mark.parametrize(
    "text",
    [
        'path = "/{}/main"'.format("work"),
        "see /{}/x.txt".format("tmp"),
        "#!/{}/bin/python".format("root"),
        "/{}/somebody/x".format("home"),
        "C:\\{}\\somebody".format("Users"),
        '"resolved": "https://registry.{}.org/a.tgz"'.format("npmjs"),
        "pip install -i https://{}.org/simple".format("pypi"),
    ],
)
def test_a_planted_machine_is_found(text: str) -> None:
    assert len(not_portable(text)) == 1


@pytest.mark.parametrize(
    "text",
    ["/home/site/wwwroot", "POST /api/work/items", "a/tmp/b", "/usr/bin/env bash", "~/tmp/x", "the root/ folder"],
)
def test_a_portable_path_is_no_violation(text: str) -> None:
    assert not_portable(text) == []
