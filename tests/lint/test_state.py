"""State that outlives an execution, changed or read by an orchestrator."""

from __future__ import annotations

import pytest

from .sources import Sources


@pytest.mark.parametrize(
    ("outer", "line", "code"),
    [
        ("N = 0", "global N\nN = 1", "DX401"),
        ("N = 0", "global N\nN += 1", "DX401"),
        ("N = 0", "global N\nfor N in value:\n    pass", "DX401"),
        ("N = 0", "global N\ndel N", "DX401"),
        ("N = 0", "def inner():\n    global N\n    N = 1\ninner()", "DX401"),
        ("N = []", "N.append(1)", "DX402"),
        ("N = {}", "N['x'] = 1", "DX402"),
        ("N = {}", "N['x'] += 1", "DX402"),
        ("N = {}", "del N['x']", "DX402"),
        ("N = {}", "N.update(x=1)", "DX402"),
        ("N = {}", "N['a']['b'] = 1", "DX402"),
        ("N = set()", "N.add(1)", "DX402"),
        ("from collections import defaultdict\nN = defaultdict(int)", "N.pop('x')", "DX402"),
        ("N = [x for x in (1, 2)]", "N.sort()", "DX402"),
        ("import itertools\nN = itertools.count()", "next(N)", "DX402"),
        ("class N:\n    count = 0", "N.count += 1", "DX402"),
        ("class N:\n    pass\nM = N()", "M.count = 1", "DX402"),
        ("def helper(): ...", "helper.calls = 1", "DX402"),
        ("import config", "config.RATE = 1", "DX402"),
        ("import config", "config.STATE.append(1)", "DX402"),
        ("import config", "config.STATE[0] = 1", "DX402"),
        ("from config import STATE", "STATE[0] = 1", "DX402"),
        ("import elsewhere", "elsewhere.RATE = 1", "DX402"),
    ],
)
def test_a_change_of_what_outlives_the_execution_is_found(outer: str, line: str, code: str, sources: Sources) -> None:
    sources.write("config.py", "STATE = []\nRATE = 1\n")
    assert sources.body(line, imports=outer) == [code]


@pytest.mark.parametrize(
    ("outer", "line"),
    [
        ("N = []", "N = []\nN.append(1)"),
        ("N = {}", "value = N['x']"),
        ("N = {}", "value = dict(N)\nvalue['x'] = 1"),
        ("", "seen = []\ndef inner():\n    seen.append(1)\ninner()"),
        ("", "n = 0\ndef inner():\n    nonlocal n\n    n = 1\ninner()"),
        ("", "value['x'] = 1"),
        ("", "value.count = 1"),
        ("", "value.append(1)"),
        ("class Box:\n    def set(self, x):\n        self.x = x\n        self.xs.append(x)", "Box().set(1)"),
        ("class Box:\n    pass", "box = Box()\nbox.x = 1"),
        ("N = 0", "global N\nctx.set_custom_status(N)"),
        ("N = frozenset()", "N.union(value)"),
        ("N = itertools = None", "it = iter(value)\nnext(it)"),
        ("N = 3", "N.bit_length()"),
    ],
)
def test_state_of_the_execution_is_fine(outer: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == []


def test_a_variable_of_the_function_around_outlives_the_execution(sources: Sources) -> None:
    text = """
    def build(app):
        seen = []
        count = 0

        @app.orchestrator
        async def flow(ctx):
            nonlocal count
            count += 1
            seen.append(count)
    """
    assert sources.codes(text) == ["DX401", "DX402"]


def test_an_orchestrator_that_is_a_method_shares_its_object(sources: Sources) -> None:
    text = """
    class Flows:
        def __init__(self, registry):
            self.count = 0
            registry.add_orchestrator(self.flow)

        async def flow(self, ctx):
            self.count += 1
    """
    assert sources.codes(text) == ["DX402"]


def test_a_default_is_one_object_for_all_calls(sources: Sources) -> None:
    text = """
    def helper(item, seen=[], *, names={}):
        seen.append(item)
        names.update(item=1)
        return seen

    @app.orchestrator
    async def flow(ctx):
        helper(1)
    """
    assert sources.codes(text) == ["DX402", "DX402"]


@pytest.mark.parametrize(
    ("outer", "line"),
    [
        ("RATE = 1\ndef set_rate(rate):\n    global RATE\n    RATE = rate", "ctx.set_custom_status(RATE)"),
        ("RATES = {}\n@app.activity\ndef load(rate):\n    RATES['x'] = rate", "ctx.set_custom_status(RATES['x'])"),
        ("RATES = []\n@app.activity\ndef load(rate):\n    RATES.append(rate)", "ctx.set_custom_status(len(RATES))"),
    ],
)
def test_reading_what_changes_is_found(outer: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == ["DX403"]


@pytest.mark.parametrize(
    ("outer", "line"),
    [
        ("RATES = {}\ndef register(f):\n    RATES[f.__name__] = f\n    return f", "ctx.set_custom_status(RATES)"),
        ("RATES = {}\nRATES['x'] = 1", "ctx.set_custom_status(RATES)"),
        ("import os\n@app.activity\ndef load(rate):\n    os.x = rate", "ctx.set_custom_status(os.sep)"),
        ("def once():\n    global RATE\n    RATE = 1\nonce()", "ctx.set_custom_status(RATE)"),
    ],
)
def test_reading_what_is_filled_at_import_is_fine(outer: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == []


def test_a_primitive_that_is_made_in_two_places_is_reported_once(sources: Sources) -> None:
    shared = "try:\n    LOCK = asyncio.Lock()\nexcept RuntimeError:\n    LOCK = asyncio.Lock()"
    assert sources.body("await LOCK.acquire()", imports=shared) == ["DX404"]


@pytest.mark.parametrize("kind", ["Lock", "Event", "Queue", "Semaphore", "Condition"])
def test_a_shared_primitive_is_found(kind: str, sources: Sources) -> None:
    shared = f"from asyncio import {kind} as Made\nSHARED = Made()"
    assert sources.body("ctx.set_custom_status(str(SHARED))", imports=shared) == ["DX404"]
