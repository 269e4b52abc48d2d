"""The order of sets: found where it comes out, and only for sets whose order may differ."""

from __future__ import annotations

import pytest

from .sources import Sources


@pytest.mark.parametrize(
    "line",
    [
        "for x in {'a', 'b'}:\n    pass",
        "for x in set(value):\n    pass",
        "for x in frozenset(value):\n    pass",
        "for x in {y for y in value}:\n    pass",
        "names = set(value)\nfor x in names:\n    pass",
        "names: set[str] = value\nfor x in names:\n    pass",
        "names: frozenset[tuple[str, int]] = value\nfor x in names:\n    pass",
        "xs = [x for x in set(value)]",
        "xs = {x: 1 for x in set(value)}",
        "xs = list(x for x in set(value))",
        "xs = list(set(value))",
        "xs = tuple({'a', 'b'} | value)",
        "xs = list(set(value) - {'a'})",
        "xs = list(value.keys() & {'a'})",
        "xs = list(value.keys() - value)",
        "xs = list(set(value).union(value))",
        "xs = [*set(value)]",
        "await asyncio.gather(*{'a', 'b'})",
        "a, b = {'a', 'b'}",
        "x = set(value).pop()",
        "xs = ','.join(set(value))",
        "for i, x in enumerate(set(value)):\n    pass",
        "x = next(iter({'a', 'b'}))",
        "for x, y in zip(set(value), value):\n    pass",
        "async for x in set(value):\n    pass",
        "xs = dict.fromkeys(set(value))",
        "xs = []\nxs.extend({'a', 'b'})",
        "xs = {1, 'a'}\nfor x in xs:\n    pass",
    ],
)
def test_the_order_of_a_set_is_found(line: str, sources: Sources) -> None:
    assert sources.body(line) == ["DX106"]


@pytest.mark.parametrize(
    "line",
    [
        "for x in sorted(set(value)):\n    pass",
        "for x in {1, 2}:\n    pass",
        "for x in set(range(3)):\n    pass",
        "names: set[int] = value\nfor x in names:\n    pass",
        "ok = 'a' in set(value)",
        "n = len(set(value))",
        "ok = any(x for x in set(value))",
        "ok = all(x for x in {'a', 'b'})",
        "n = sum(x for x in set(value))",
        "xs = {x for x in set(value)}",
        "xs = sorted(x for x in set(value))",
        "xs = sorted(list(set(value)))",
        "xs = set(value)\nxs = sorted(xs)\nfor x in xs:\n    pass",
        "for x in dict.fromkeys(value):\n    pass",
        "for x in value.keys():\n    pass",
        "xs = set(value) - {'a'}",
        "for x in value:\n    pass",
        "xs = {'a': 1}\nfor x in xs:\n    pass",
        "x = value.pop()",
        "tasks = {asyncio.create_task(x) for x in value}\nfor t in tasks:\n    pass",
        "tasks = {ctx.call_activity(charge, x) for x in value}\nfor t in tasks:\n    pass",
        "tasks = set([ctx.call_activity(charge, x) for x in value])\nfor t in tasks:\n    pass",
        "calls = [ctx.call_activity(charge, x) for x in value]\nfor t in set(calls):\n    pass",
        "done, pending = await asyncio.wait(value)\nfor t in done:\n    pass",
        "tasks: set[asyncio.Task[int]] = set()\nfor t in tasks:\n    pass",
        "n = 6 | 3\nxs = [n - 1 for _ in value]",
        "for x in set():\n    pass",
    ],
)
def test_what_has_the_same_order_always_is_fine(line: str, sources: Sources) -> None:
    assert sources.body(line) == []


def test_a_set_of_the_module_is_found(sources: Sources) -> None:
    assert sources.body("for x in NAMES:\n    pass", imports="NAMES = {'a', 'b'}") == ["DX106"]


def test_the_tasks_of_a_generator_have_no_order(sources: Sources) -> None:
    text = """
    @app.orchestration_trigger(context_name="context")
    def flow(context):
        for task in {context.call_activity("charge", n) for n in (1, 2)}:
            yield task
    """
    assert sources.codes(text) == ["DX106"]


@pytest.mark.parametrize(
    ("given", "codes"),
    [
        ("[one(ctx), one(ctx)]", ["DX106"]),
        ("[one(ctx) for _ in value]", ["DX106"]),
        ("[ctx.call_activity(charge, 1)]", []),
        ("[asyncio.create_task(one(ctx))]", []),
    ],
)
def test_as_completed_makes_a_set_of_coroutines(given: str, codes: list[str], sources: Sources) -> None:
    outer = "async def one(ctx):\n    return await ctx.call_activity(charge, 1)"
    assert sources.body(f"for done in asyncio.as_completed({given}):\n    await done", imports=outer) == codes
