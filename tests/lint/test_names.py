"""What is refused by name: found under every alias, and not mistaken for something else that is called the same."""

from __future__ import annotations

import asyncio

import pytest

from durable_ext.lint.forbidden import CALLED, HARMLESS, LOOP_METHODS, MENTIONED, code_of_call
from durable_ext.lint.rules import RULES
from durable_ext.replay.loop import OrchestratorLoop

from .sources import Sources


@pytest.mark.parametrize(
    ("code", "name"),
    [(code, name) for table in (MENTIONED, CALLED) for code, names in table.items() for name in names],
)
def test_every_name_of_the_tables_is_found(code: str, name: str, sources: Sources) -> None:
    plain = name.removeprefix("builtins.")
    call = f"{plain}.x()" if name in CALLED.get(code, ()) and "." not in plain and plain == name else f"{plain}()"
    imports = "" if plain != name else f"import {name.partition('.')[0]}"
    assert sources.body(call, imports=imports) == [code]


def test_the_tables_name_rules_and_each_name_once() -> None:
    assert set(MENTIONED) | set(CALLED) <= set(RULES)
    names = [name for table in (MENTIONED, CALLED) for several in table.values() for name in several]
    assert sorted(names) == sorted(set(names))
    assert {name for name in HARMLESS if code_of_call(name)} == set()


@pytest.mark.parametrize(
    ("imports", "line", "code"),
    [
        ("import datetime", "datetime.datetime.now()", "DX101"),
        ("import datetime as dt", "dt.datetime.utcnow()", "DX101"),
        ("from datetime import datetime", "datetime.now(tz=value)", "DX101"),
        ("from datetime import datetime as d", "d.today()", "DX101"),
        ("from datetime import date", "date.today()", "DX101"),
        ("from time import time as now", "now()", "DX101"),
        ("import time\nclock = time.monotonic", "clock()", "DX101"),
        ("", "from time import perf_counter\nperf_counter()", "DX101"),
        ("", "import time\nlook = time.time\nlook()", "DX101"),
        ("import time", "value = value or time.time", "DX101"),
        ("import time", "time.localtime()", "DX101"),
        ("import time", "time.strftime('%Y')", "DX101"),
        (
            "try:\n    from uuid import uuid7 as new\nexcept ImportError:\n    from uuid import uuid4 as new",
            "new()",
            "DX103",
        ),
        ("import random", "random.Random()", "DX102"),
        ("import random", "random.Random(None).random()", "DX102"),
        ("from random import SystemRandom", "SystemRandom()", "DX102"),
        ("import numpy as np", "np.random.rand(3)", "DX102"),
        ("import numpy as np", "np.random.default_rng()", "DX102"),
        ("from os import urandom", "urandom(4)", "DX102"),
        ("import uuid", "ids = [uuid.uuid4() for _ in value]", "DX103"),
        ("import time as t", "t.sleep(1)", "DX104"),
        ("", "id(value)", "DX105"),
        ("", "with open('x') as f:\n    pass", "DX201"),
        ("from pathlib import Path", "p = Path('x')\np.exists()", "DX201"),
        ("from pathlib import Path\nROOT = Path('x')", "(ROOT / 'y').mkdir()", "DX201"),
        ("from pathlib import Path", "Path.cwd()", "DX201"),
        ("", "value.read_text()", "DX201"),
        ("import shutil", "shutil.rmtree('x')", "DX201"),
        ("from os import path", "path.exists('x')", "DX201"),
        ("from urllib.request import urlopen", "urlopen('x')", "DX202"),
        ("import urllib.request", "urllib.request.urlopen('x')", "DX202"),
        ("import httpx as http\nSESSION = http.Client()", "SESSION.get('x')", "DX202"),
        ("import aiohttp", "async with aiohttp.ClientSession() as session:\n    await session.get('x')", "DX202"),
        ("from azure.storage.blob import BlobClient", "BlobClient('x', 'y', 'z')", "DX202"),
        ("import subprocess as sp", "sp.run(['x'])", "DX203"),
        ("import sys", "sys.exit(1)", "DX203"),
        ("import psycopg2", "psycopg2.connect('x')", "DX204"),
        ("from sqlalchemy.orm import Session", "Session()", "DX204"),
        ("import os", "os.environ.get('X')", "DX205"),
        ("from os import environ as env", "env['X']", "DX205"),
        ("import os", "'X' in os.environ", "DX205"),
        ("import sys", "sys.argv[1]", "DX205"),
        ("import threading", "threading.Thread(target=value).start()", "DX301"),
        ("from concurrent.futures import ThreadPoolExecutor", "ThreadPoolExecutor()", "DX301"),
        ("", "await asyncio.get_running_loop().run_in_executor(None, value)", "DX301"),
        ("", "await value.run_in_executor(None, len)", "DX301"),
        ("import threading\nGATE = threading.Lock()", "with GATE:\n    pass", "DX301"),
        ("", "loop = asyncio.get_running_loop()\nloop.add_reader(1, value)", "DX302"),
        ("", "await asyncio.create_subprocess_exec('x')", "DX302"),
        ("from asyncio import Runner", "Runner()", "DX303"),
        ("EVENT = asyncio.Event()", "await EVENT.wait()", "DX404"),
        ("import sys", "sys.stdout.write('x')", "DX701"),
    ],
)
def test_aliases_are_resolved(imports: str, line: str, code: str, sources: Sources) -> None:
    found = sources.body(line, imports=imports)
    assert set(found) == {code}
    assert len(found) == 1


@pytest.mark.parametrize(
    ("imports", "line"),
    [
        ("", "time = value\ntime.time()"),
        ("", "def now():\n    return ctx.now\nnow()"),
        ("import time", "list(map(lambda time: time.time(), value))"),
        ("", "random = ctx.random\nrandom.random()"),
        ("", "for open in value:\n    open()"),
        ("", "datetime = ctx.now\ndatetime.now()"),
        ("from datetime import datetime, timedelta", "datetime(2030, 1, 1) + timedelta(days=1)"),
        ("from datetime import datetime", "datetime.fromisoformat(value)"),
        ("import time", "time.strftime('%Y', value)"),
        ("import time", "time.gmtime(value)"),
        ("import random", "random.Random(4).random()"),
        ("import numpy as np", "rng = np.random.default_rng(7)\nrng.random()"),
        ("import uuid", "uuid.uuid5(uuid.NAMESPACE_OID, 'x')"),
        ("import uuid", "uuid.UUID(value)"),
        ("from pathlib import Path, PurePath", "str(Path('a') / PurePath('b'))"),
        ("from urllib.parse import quote", "quote(value)"),
        ("import os", "os.path.join('a', 'b')"),
        ("import requests", "try:\n    pass\nexcept requests.HTTPError:\n    pass"),
        ("import httpx", "isinstance(value, httpx.Response)"),
        ("import subprocess", "try:\n    pass\nexcept subprocess.CalledProcessError as error:\n    raise error"),
        ("import sqlite3", "raise sqlite3.OperationalError('x')"),
        ("from pathlib import Path", "file: Path = value\nfile.suffix"),
        ("import os", "name: 'os.environ' = value"),
        ("import time", "def later(at: time.struct_time) -> time.struct_time:\n    return at"),
        ("import json", "json.loads(value)"),
        ("import hashlib", "hashlib.sha256(b'x').hexdigest()"),
        ("import asyncio.subprocess", "asyncio.subprocess.PIPE"),
        ("", "ctx.logger.info('x')\nctx.random.random()"),
        ("", "await asyncio.sleep(3)\nawait asyncio.wait_for(value, 3)"),
        ("", "lock = asyncio.Lock()\nasync with lock:\n    pass"),
        ("", "loop = asyncio.get_running_loop()\nloop.call_later(3, value)\nloop.time()"),
        ("", "async with asyncio.TaskGroup() as group:\n    group.create_task(value)"),
        ("LIMIT = 3", "ctx.set_custom_status(LIMIT)"),
        ("import os\nLIMIT = int(os.environ['LIMIT'])", "ctx.set_custom_status(LIMIT)"),
    ],
)
def test_what_only_looks_like_it_is_fine(imports: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=imports) == []


@pytest.mark.parametrize(
    ("imports", "code"),
    [
        ("import time\nSTARTED = time.time()", "DX101"),
        ("import uuid\nSTARTED = str(uuid.uuid4())", "DX103"),
        ("import random\nSTARTED = random.randint(1, 6)", "DX102"),
    ],
)
def test_a_constant_that_each_process_makes_anew_is_found(imports: str, code: str, sources: Sources) -> None:
    assert sources.body("ctx.set_custom_status(STARTED)", imports=imports) == [code]


@pytest.mark.parametrize(
    ("factory", "codes"),
    [("uuid4", ["DX103"]), ("lambda: str(uuid4())", ["DX103"]), ("list", []), ("lambda: uuid5(SPACE, 'x')", [])],
)
def test_a_field_that_each_object_makes_anew_is_found(factory: str, codes: list[str], sources: Sources) -> None:
    outer = (
        "from dataclasses import dataclass, field\nfrom uuid import uuid4, uuid5, NAMESPACE_OID as SPACE\n"
        f"@dataclass\nclass Order:\n    amount: int\n    key: str = field(default_factory={factory})"
    )
    assert sources.body("order = Order(3)", imports=outer) == codes
    assert sources.body("order: Order = value", imports=outer) == []


def test_the_methods_of_a_loop_are_those_that_the_orchestrators_loop_has() -> None:
    verbs = vars(OrchestratorLoop).items()
    refused = {name for name, value in verbs if "_refusing" in getattr(value, "__qualname__", "")}
    public = {name for name in dir(asyncio.AbstractEventLoop) if not name.startswith("_")}
    assert public - refused == LOOP_METHODS
