"""Rules on what reaches outside the execution: files, networks, processes, threads, other event loops."""

from __future__ import annotations

from durable_ext.lint.rule import Rule

OUTSIDE_RULES = (
    Rule(
        code="DX201",
        name="file",
        what="A file, and what a folder holds, may differ at the replay, which may run on another machine.",
        remedy="read or write it in an activity and await `ctx.call_activity(...)`",
        bad="""
from pathlib import Path


@app.orchestrator
async def prices(ctx: df.OrchestrationContext) -> str:
    return Path("prices.json").read_text()
""",
        good="""
from pathlib import Path


@app.activity
def read_prices() -> str:
    return Path("prices.json").read_text()


@app.orchestrator
async def prices_of_activity(ctx: df.OrchestrationContext) -> str:
    return await ctx.call_activity(read_prices, None)
""",
    ),
    Rule(
        code="DX202",
        name="network",
        what="A request is sent again by each replay, and may be answered differently.",
        remedy="send it in an activity and await `ctx.call_activity(...)`",
        bad="""
import requests


@app.orchestrator
async def weather(ctx: df.OrchestrationContext) -> str:
    return requests.get("https://example.org/weather", timeout=5).text
""",
        good="""
import requests


@app.activity
def fetch_weather() -> str:
    return requests.get("https://example.org/weather", timeout=5).text


@app.orchestrator
async def weather_of_activity(ctx: df.OrchestrationContext) -> str:
    return await ctx.call_activity(fetch_weather, None)
""",
    ),
    Rule(
        code="DX203",
        name="process",
        what="A subprocess is started again by each replay; signals and exits concern the whole worker.",
        remedy="run it in an activity and await `ctx.call_activity(...)`",
        bad="""
import subprocess


@app.orchestrator
async def convert(ctx: df.OrchestrationContext) -> None:
    subprocess.run(["ffmpeg", "-version"], check=True)
""",
        good="""
import subprocess


@app.activity
def run_ffmpeg() -> None:
    subprocess.run(["ffmpeg", "-version"], check=True)


@app.orchestrator
async def convert_in_activity(ctx: df.OrchestrationContext) -> None:
    await ctx.call_activity(run_ffmpeg, None)
""",
    ),
    Rule(
        code="DX204",
        name="database",
        what="A query is run again by each replay, and the rows may have changed.",
        remedy="query in an activity and await `ctx.call_activity(...)`",
        bad="""
import sqlite3


@app.orchestrator
async def stock(ctx: df.OrchestrationContext) -> int:
    return sqlite3.connect("shop.db").execute("select count(*) from article").fetchone()[0]
""",
        good="""
import sqlite3


@app.activity
def count_articles() -> int:
    return sqlite3.connect("shop.db").execute("select count(*) from article").fetchone()[0]


@app.orchestrator
async def stock_of_activity(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(count_articles, None)
""",
    ),
    Rule(
        code="DX205",
        name="environment",
        what="Settings, arguments and facts of the machine may differ at the replay: another worker, a deployment.",
        remedy="pass it in with the input, or read it in an activity",
        bad="""
import os


@app.orchestrator
async def limit(ctx: df.OrchestrationContext) -> int:
    return int(os.environ["LIMIT"])
""",
        good="""
import os


@app.activity
def read_limit() -> int:
    return int(os.environ["LIMIT"])


@app.orchestrator
async def limit_of_activity(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(read_limit, None)
""",
    ),
    Rule(
        code="DX206",
        name="console-input",
        what="Nobody sits at a replay: standard input is read again, and holds up every instance of the process.",
        remedy="await `ctx.wait_for_external_event(...)` and let people answer through the client",
        bad="""
@app.orchestrator
async def ask(ctx: df.OrchestrationContext) -> str:
    return input("approve? ")
""",
        good="""
@app.orchestrator
async def ask_by_event(ctx: df.OrchestrationContext) -> str:
    return await ctx.wait_for_external_event("approve", str)
""",
    ),
    Rule(
        code="DX301",
        name="thread",
        what="Threads and executors end in an order nobody records, and are lost when the process ends.",
        remedy="make it an activity: those that are not async run in threads; start several with `asyncio.gather`",
        bad="""
def add(a: int, b: int) -> int:
    return a + b


@app.orchestrator
async def compute(ctx: df.OrchestrationContext) -> int:
    return await asyncio.to_thread(add, 1, 2)
""",
        good="""
@app.activity
def add(numbers: list[int]) -> int:
    return sum(numbers)


@app.orchestrator
async def compute_in_activity(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(add, [1, 2])
""",
    ),
    Rule(
        code="DX302",
        name="asyncio-outside",
        what="Sockets, subprocesses and signals of asyncio are refused by the orchestrator's loop: the instance fails.",
        remedy="do it in an activity and await `ctx.call_activity(...)`",
        bad="""
@app.orchestrator
async def talk(ctx: df.OrchestrationContext) -> None:
    await asyncio.open_connection("example.org", 80)
""",
        good="""
@app.activity
async def open_and_talk() -> None:
    await asyncio.open_connection("example.org", 80)


@app.orchestrator
async def talk_in_activity(ctx: df.OrchestrationContext) -> None:
    await ctx.call_activity(open_and_talk, None)
""",
    ),
    Rule(
        code="DX303",
        name="another-loop",
        what="An orchestrator runs on its own deterministic loop; a second one cannot run inside it.",
        remedy="await the coroutine itself",
        bad="""
async def total(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(charge, 1)


@app.orchestrator
def pay(ctx: df.OrchestrationContext) -> int:
    return asyncio.run(total(ctx))
""",
        good="""
async def total(ctx: df.OrchestrationContext) -> int:
    return await ctx.call_activity(charge, 1)


@app.orchestrator
async def pay_here(ctx: df.OrchestrationContext) -> int:
    return await total(ctx)
""",
    ),
)
