"""Durable calls: awaited before use, made whatever the replay; activities, clients and bindings."""

from __future__ import annotations

import pytest

from .sources import Sources


@pytest.mark.parametrize(
    "line",
    [
        "ctx.create_timer(value)",
        "ctx.wait_for_external_event('x')",
        "asyncio.sleep(3)",
        "asyncio.gather(*value)",
        "x = ctx.call_activity(charge, 1) + 1",
        "x = -ctx.call_activity(charge, 1)",
        "x = ctx.call_activity(charge, 1)['total']",
        "x = f'{ctx.call_activity(charge, 1)}'",
        "if ctx.call_activity(charge, 1):\n    pass",
        "while ctx.wait_for_external_event('x'):\n    pass",
        "x = 1 if ctx.call_activity(charge, 1) else 2",
        "x = ctx.call_activity(charge, 1) == 3",
        "for x in ctx.call_activity(charge, 1):\n    pass",
        "xs = [x for x in ctx.call_activity(charge, 1)]",
        "x = int(ctx.call_activity(charge, 1))",
        "x = ctx.call_activity(charge, 1).total",
        "return ctx.call_activity(charge, 1)",
        "await ctx.call_activity(charge, ctx.call_activity(charge, 1))",
        "await ctx.call_activity('charge', input_=ctx.call_activity(charge, 1))",
        "x = ctx.call_activity(charge, 1)\ny = x + 1",
        "x = ctx.call_activity(charge, 1)\ny = x['total']",
        "x = ctx.call_activity(charge, 1)\nreturn x",
        "x = ctx.call_activity(charge, 1)\nawait ctx.call_activity(charge, x)",
        "x = ctx.call_activity(charge, 1)\ny = x > 3",
        "x = ctx.call_activity(charge, 1)\nif x:\n    pass",
        "x, y = ctx.call_activity(charge, 1), ctx.call_sub_orchestrator('z')\nreturn y",
        "helper(ctx)",
    ],
)
def test_a_result_that_is_not_awaited_is_found(line: str, sources: Sources) -> None:
    outer = "async def helper(ctx):\n    await ctx.call_activity(charge, 1)"
    assert sources.body(line, imports=outer) == ["DX501"]


@pytest.mark.parametrize(
    "line",
    [
        "await ctx.create_timer(value)",
        "x = await ctx.call_activity(charge, 1) + 1",
        "x = (await ctx.call_activity(charge, 1))['total']",
        "x = ctx.call_activity(charge, 1)\ny = await x + 1",
        "x = ctx.call_activity(charge, 1)\nx = await x\ny = x + 1",
        "x = [ctx.call_activity(charge, n) for n in value]\nreturn await asyncio.gather(*x)",
        "timer = ctx.create_timer(value)\ntimer.cancel()",
        "x = ctx.call_activity(charge, 1)\nawait asyncio.wait([x])\nreturn x.result()",
        "x = ctx.call_activity(charge, 1)\ndone, _ = await asyncio.wait([x])\nok = x in done",
        "async with asyncio.TaskGroup() as group:\n    group.create_task(helper(ctx))",
        "_ = ctx.call_activity(charge, 1)",
        "def inner(n):\n    return ctx.call_activity(charge, n)\nawait asyncio.gather(*map(inner, value))",
        "calls = {}\ncalls['x'] = ctx.call_activity(charge, 1)\nawait calls['x']",
        "x = ctx.call_activity(charge, 1) if value else None\nif x:\n    await x",
        "ctx.send_event('a', 'b')",
    ],
)
def test_a_future_may_be_kept_passed_on_and_awaited(line: str, sources: Sources) -> None:
    outer = "async def helper(ctx):\n    await ctx.call_activity(charge, 1)"
    assert sources.body(line, imports=outer) == []


@pytest.mark.parametrize("verb", ["call_activity", "call_sub_orchestrator", "call_http", "call_activity_with_retry"])
def test_a_call_nobody_waits_for_is_found(verb: str, sources: Sources) -> None:
    assert sources.body(f"ctx.{verb}('x', 1)") == ["DX502"]


def generator(*lines: str) -> str:
    inner = "\n".join(f"    {line}" for line in lines)
    return f"@app.orchestration_trigger(context_name='context')\ndef flow(context):\n{inner}\n"


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        (["x = yield context.call_activity('a', 1)", "return x + 1"], []),
        (["x = context.call_activity('a', 1)", "y = yield x", "return y"], []),
        (
            ["a = context.call_activity('a')", "b = yield context.task_any([a])", "if b == a:", "    return a.result"],
            [],
        ),
        (["x = context.call_activity('a', 1)", "yield context.create_timer(x)", "return x + 1"], ["DX501"]),
        (["context.create_timer(1)", "yield context.call_activity('a')"], ["DX501"]),
        (["context.task_all([])", "yield context.call_activity('a')"], ["DX501"]),
        (["x = yield context.call_activity('a')", "return context.call_activity('b', x)"], ["DX501"]),
        (["context.call_activity('a', 1)", "yield context.call_activity('a')"], ["DX502"]),
    ],
)
def test_generators_yield(lines: list[str], codes: list[str], sources: Sources) -> None:
    assert sources.codes(generator(*lines)) == codes


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("yield from part(context)", []),
        ("x = yield from part(context)", []),
        ("yield part(context)", ["DX504"]),
        ("part(context)", ["DX504"]),
    ],
)
def test_a_part_of_a_generator_is_run_by_yield_from(line: str, codes: list[str], sources: Sources) -> None:
    part = "def part(context):\n    yield context.call_activity('a')\n\n"
    assert sources.codes(part + generator(line, "yield context.call_activity('a')")) == codes


def test_an_async_generator_that_is_called_is_fine(sources: Sources) -> None:
    outer = "async def pages(ctx):\n    yield await ctx.call_activity(charge, 1)"
    assert sources.body("async for page in pages(ctx):\n    pass", imports=outer) == []


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("if ctx.is_replaying:\n    await ctx.call_activity(charge, 1)", ["DX505"]),
        ("if not ctx.is_replaying:\n    await asyncio.sleep(1)", ["DX505"]),
        ("if value and not ctx.is_replaying:\n    ctx.set_custom_status('x')", ["DX505"]),
        ("if ctx.is_replaying:\n    pass\nelse:\n    ctx.send_event('a', 'b')", ["DX505"]),
        ("x = await ctx.call_activity(charge, 1) if ctx.is_replaying else 3", ["DX505"]),
        ("if ctx.is_replaying:\n    return\nawait ctx.call_activity(charge, 1)", ["DX505"]),
        ("if not ctx.is_replaying:\n    value = 3\nawait ctx.call_activity(charge, 1)", []),
        ("if await ctx.call_activity(charge, 1) and not ctx.is_replaying:\n    print('x')", []),
    ],
)
def test_a_call_that_depends_on_the_replay_is_found(line: str, codes: list[str], sources: Sources) -> None:
    assert sources.body(line) == codes


@pytest.mark.parametrize(
    ("outer", "line"),
    [
        ("@app.activity\ndef plain(x): ...", "plain(1)"),
        ("@app.activity_trigger(input_name='x')\ndef plain(x): ...", "value = plain(1)"),
        ("def plain(x): ...\ndf.Registry().add_activity(plain)", "plain(1)"),
        ("def plain(x): ...\nfor each in (plain,):\n    registry.add_activity(each)", "plain(1)"),
        ("", "await charge(3)"),
        ("@app.activity\ndef plain(x):\n    open('x')", "plain(1)"),
    ],
)
def test_an_activity_called_as_a_function_is_found(outer: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == ["DX602"]


@pytest.mark.parametrize(
    ("outer", "line"),
    [
        ("", "await client.start_new('x')"),
        ("", "await starter.raise_event('x', 'y')"),
        ("from durable_ext import DurableClient\nCLIENT = DurableClient()", "await CLIENT.get('x')"),
        ("from durable_ext import Client", "Client(value, value)"),
        ("import azure.durable_functions as adf", "adf.DurableOrchestrationClient(value)"),
    ],
)
def test_a_client_in_an_orchestrator_is_found(outer: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == ["DX601"]


@pytest.mark.parametrize(
    ("outer", "line"),
    [
        ("class Client:\n    def get(self, x): ...", "Client().get('x')"),
        ("class Box:\n    def start(self): ...", "client = Box()\nclient.start()"),
        ("", "ctx.send_event('x', 'y')"),
        ("", "value.start()"),
    ],
)
def test_what_only_sounds_like_a_client_is_fine(outer: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == []


@pytest.mark.parametrize("binding", ["route(route='x')", "queue_trigger(arg_name='x')", "blob_output(arg_name='x')"])
def test_another_binding_is_found(binding: str, sources: Sources) -> None:
    assert sources.codes(f"@app.{binding}\n@app.orchestrator\nasync def flow(ctx): ...") == ["DX603"]


@pytest.mark.parametrize(
    ("outer", "line"),
    [
        ("import logging", "logging.warning('x')"),
        ("import logging", "logging.getLogger('x').info('y')"),
        ("import logging\nLOGGER = logging.getLogger('x')", "LOGGER.info('y')"),
        ("from logging import getLogger\nmine = getLogger('x')", "mine.exception('y')"),
        ("from elsewhere import logger", "logger.error('y')"),
        ("import structlog\nmine = structlog.get_logger()", "mine.info('y')"),
    ],
)
def test_a_logger_of_the_app_is_found(outer: str, line: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == ["DX702"]


@pytest.mark.parametrize(
    "line",
    [
        "if not ctx.is_replaying:\n    {}",
        "if value and not ctx.is_replaying:\n    {}",
        "if ctx.is_replaying:\n    pass\nelse:\n    {}",
        "def say():\n    if ctx.is_replaying:\n        return\n    {}\nsay()",
        "for x in value:\n    if ctx.is_replaying:\n        continue\n    {}",
    ],
)
def test_output_outside_a_replay_is_fine(line: str, sources: Sources) -> None:
    for output in ("print('x')", "logging.info('x')"):
        assert sources.body(line.format(output), imports="import logging") == []


@pytest.mark.parametrize(
    ("lines", "codes"),
    [
        ("if not ctx.is_replaying:\n    say()", []),
        ("if not ctx.is_replaying:\n    say_more()", []),
        ("if not ctx.is_replaying:\n    say()\nsay()", ["DX701"]),
        ("say()\nif not ctx.is_replaying:\n    say()", ["DX701"]),
        ("if not ctx.is_replaying:\n    say()\nsay_more()", ["DX701"]),
        ("if not ctx.is_replaying:\n    await tell(ctx)", ["DX505"]),
        ("if not ctx.is_replaying:\n    read()", ["DX201"]),
    ],
)
def test_the_condition_counts_for_what_is_called_too(lines: str, codes: list[str], sources: Sources) -> None:
    outer = (
        "def say():\n    print('x')\ndef say_more():\n    say()\ndef read():\n    open('x')\n"
        "async def tell(ctx):\n    await ctx.call_activity(charge, 1)"
    )
    assert sources.body(lines, imports=outer) == codes


@pytest.mark.parametrize("line", ["if ctx.is_replaying:\n    print('x')", "if value:\n    print('x')"])
def test_other_conditions_do_not_excuse_it(line: str, sources: Sources) -> None:
    assert sources.body(line) == ["DX701"]


def test_the_loggers_of_the_context_are_fine(sources: Sources) -> None:
    log = "log = ctx.create_replay_safe_logger(logging.getLogger('x'))\nlog.info('x')\nctx.logger.warning('y')"
    assert sources.body(log, imports="import logging") == []
    text = "@app.orchestrator\nasync def flow(ctx: df.OrchestrationContext):\n    ctx.logger.info('x')"
    assert sources.codes(text) == []


NOBODYS = "def work(value): ...\n"


@pytest.mark.parametrize(
    ("line", "outer"),
    [
        ("await ctx.call_activity(work, 1)", NOBODYS),
        ("await ctx.call_activity(name=work, input_=1)", NOBODYS),
        ("await ctx.call_activity_with_retry(work, RETRY, 1)", NOBODYS),
        ("await ctx.call_activity(lambda value: value, 1)", ""),
        ("await ctx.call_sub_orchestrator(work)", NOBODYS),
        ("ctx.start_new_orchestration(work)", NOBODYS),
        ("await ctx.call_sub_orchestrator(charge)", ""),
        ("await ctx.call_activity(flow)", ""),
        ("await ctx.call_activity(Shop.work, 1)", "class Shop:\n    def work(value): ...\n"),
    ],
)
def test_a_call_of_a_function_that_is_not_registered(line: str, outer: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == ["DX604"]


@pytest.mark.parametrize(
    ("line", "outer"),
    [
        ("await ctx.call_activity(charge, 1)", ""),
        ("await ctx.call_activity('work', 1)", NOBODYS),
        ("await ctx.call_sub_orchestrator(flow)", ""),
        ("await ctx.call_activity(work, 1)", f"{NOBODYS}app.activity(work)\n"),
        ("await ctx.call_activity(work, 1)", f"{NOBODYS}app.activity('other')(work)\n"),
        ("await ctx.call_activity(work, 1)", f"{NOBODYS}registry.add_activity(work, 'other')\n"),
        ("await ctx.call_activity(work, 1)", f"{NOBODYS}ALL = [work]\n"),
        ("await ctx.call_activity(work, 1)", "@ours\ndef work(value): ...\n"),
        ("await ctx.call_activity(work, 1)", "from elsewhere import work\n"),
        ("await ctx.call_activity(value, 1)", ""),
    ],
)
def test_a_call_of_what_is_or_may_be_registered(line: str, outer: str, sources: Sources) -> None:
    assert sources.body(line, imports=outer) == []
