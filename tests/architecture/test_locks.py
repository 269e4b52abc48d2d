"""Records, authoring and replay know no clock, random, environment, I/O, logging or SDK (design section 3, R1).

Time, ids and seeds come in as values. A violation is an import of a banned module, a use of a banned name under
whatever alias, or an attribute that nobody but a clock or a random source has. Three modules are half open: a
generator with a seed is arithmetic, the id of this thread tells a call from outside, and an address is text.
"""

from __future__ import annotations

import ast

import pytest

from .source import PACKAGE, Module, aliases, dotted, imports, module, modules, real_name
from .test_floors import room_of

LOCKED_ROOMS = {"records", "authoring", "replay"}

BANNED_MODULES = {
    *("time", "secrets", "os", "io", "pathlib", "tempfile", "shutil", "glob", "fcntl", "platform"),
    *("logging", "socket", "ssl", "select", "selectors", "signal", "subprocess"),
    *("_thread", "multiprocessing", "concurrent", "queue", "sched"),
    *("http", "sqlite3", "azure", "aiohttp", "starlette", "uvicorn", "httpx", "requests"),
}

HALF_OPEN = {"random": "random.Random", "threading": "threading.get_ident", "urllib": "urllib.parse"}

# Nowhere in the package: code that runs what it reads.
BANNED_EVERYWHERE = {"pickle", "marshal", "shelve", "dill", "cloudpickle"}

BANNED_NAMES = {
    *("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today", "datetime.date.today"),
    *("uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.getnode"),
    *("sys.argv", "sys.stdin", "sys.stdout", "sys.stderr"),
    *("asyncio.run", "asyncio.Runner", "asyncio.new_event_loop", "asyncio.to_thread"),
    *("asyncio.open_connection", "asyncio.open_unix_connection", "asyncio.start_server", "asyncio.start_unix_server"),
    *("asyncio.create_subprocess_exec", "asyncio.create_subprocess_shell"),
    *("open", "input", "print", "breakpoint"),
}

# On whatever object: nothing that a locked room may hold has these.
BANNED_ATTRIBUTES = {"utcnow", "uuid4", "environ", "getenv", "urandom", "perf_counter", "monotonic", "time_ns"}

RUNS_TEXT = {"eval", "exec"}


def broken_locks(source: Module) -> list[str]:
    known = aliases(source)
    wrong = [
        f"{source.at(found.node)} imports {found.full}"
        for found in imports(source)
        if found.target.partition(".")[0] in BANNED_MODULES or _is_banned(found.full)
    ]
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Name | ast.Attribute) or not isinstance(node.ctx, ast.Load):
            continue
        name = real_name(node, known)
        if _is_banned(name) or dotted(node).rpartition(".")[2] in BANNED_ATTRIBUTES:
            wrong.append(f"{source.at(node)} uses {name}")
    return wrong + [f"{source.at(call)} has no seed" for call in _calls(source) if _is_unseeded(call, known)]


def _is_banned(name: str) -> bool:
    room, dot, _ = name.partition(".")
    allowed = HALF_OPEN.get(room)
    if allowed and dot:
        return name != allowed and not name.startswith(f"{allowed}.")
    return name in BANNED_NAMES


def _is_unseeded(call: ast.Call, known: dict[str, str]) -> bool:
    return real_name(call.func, known) == "random.Random" and not call.args


def _calls(source: Module) -> list[ast.Call]:
    return [node for node in ast.walk(source.tree) if isinstance(node, ast.Call)]


def code_from_data(source: Module) -> list[str]:
    wrong = [
        f"{source.at(found.node)} imports {found.target}"
        for found in imports(source)
        if found.target.partition(".")[0] in BANNED_EVERYWHERE
    ]
    return wrong + [f"{source.at(call)} calls {dotted(call.func)}" for call in _calls(source) if _runs_text(call)]


def _runs_text(call: ast.Call) -> bool:
    return dotted(call.func) in RUNS_TEXT


def test_pure_rooms_are_pure() -> None:
    locked = [source for source in modules(PACKAGE) if room_of(source.name) in LOCKED_ROOMS]
    assert len(locked) > len(LOCKED_ROOMS)
    assert [wrong for source in locked for wrong in broken_locks(source)] == []


def test_no_stored_data_is_run_as_code() -> None:
    assert [wrong for source in modules(PACKAGE) for wrong in code_from_data(source)] == []


@pytest.mark.parametrize("text", ["import pickle", "from marshal import loads", "eval('1')", "exec(code)"])
def test_planted_code_from_data_is_found(text: str) -> None:
    assert len(code_from_data(module(f"{PACKAGE}.worker.x", text))) == 1


@pytest.mark.parametrize(
    "text",
    [
        "import time",
        "from time import monotonic",
        "import os.path",
        "import logging",
        "from uuid import uuid4",
        "import uuid\nuuid.uuid4()",
        "import uuid as u\nu.uuid1()",
        "from datetime import datetime\ndatetime.now()",
        "import datetime as dt\ndt.datetime.now(dt.UTC)",
        "from datetime import date\nf = date.today",
        "def f(clock):\n    return clock.monotonic()",
        "import sys\nsys.stdin.read()",
        "import asyncio\nasyncio.open_connection('host', 1)",
        "def f(name):\n    return open(name)",
        "print('here')",
        "if True:\n    import random\n    random.choice([1])",
        "from random import random",
        "from random import Random\nRandom()",
        "import random\nrandom.seed(1)",
        "import threading\nthreading.Lock()",
        "from threading import Thread",
    ],
)
def test_a_planted_effect_is_found(text: str) -> None:
    assert broken_locks(module(f"{PACKAGE}.replay.x", text))


@pytest.mark.parametrize(
    "text",
    [
        "import asyncio\nasyncio.gather()",
        "import threading\nthreading.get_ident()",
        "import uuid\nuuid.uuid5(uuid.NAMESPACE_OID, 'x')",
        "from datetime import datetime\ndef f(now: datetime) -> float:\n    return now.timestamp()",
        "import random\ndef f(seed: int) -> float:\n    return random.Random(seed).random()",
        "def f(loop):\n    return loop.time()",
        "def f(context):\n    context.open = True",
    ],
)
def test_a_pure_line_is_no_violation(text: str) -> None:
    assert broken_locks(module(f"{PACKAGE}.replay.x", text)) == []
