"""Apps in the style of azure-functions-durable, under our name and under its own, through the app's own functions."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any

import pytest

from durable_ext.functions.stand_in import NAME, install

from .attached import Attached, attached

APPS = Path(__file__).resolve().parent / "apps"
SOON = timedelta(seconds=20)

Test = Callable[[Attached, Any], Awaitable[None]]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DURABLE_STORAGE", "sqlite::memory:")
    before = {name for name in sys.modules if name.startswith(NAME)}
    install()
    yield
    for name in {name for name in sys.modules if name.startswith(NAME)} - before:
        del sys.modules[name]


def loaded(name: str, package: str) -> Any:
    """A fresh module of an app, its one import exchanged."""
    file = APPS / f"{name}.py"
    source = file.read_text().replace("import durable_ext as df", f"import {package} as df")
    assert f"import {package} as df" in source
    module = ModuleType(f"app_{name}")
    FunctionType(compile(source, str(file), "exec", dont_inherit=True), vars(module))()
    return module


def played(name: str, package: str, test: Test) -> None:
    async def run() -> None:
        module = loaded(name, package)
        async with attached(module.app) as host:
            await test(host, module)

    asyncio.run(run())


async def started(host: Attached, function: str, body: Any = None, **params: str) -> dict[str, str]:
    status, answer = await host.call(function, b"" if body is None else json.dumps(body).encode(), **params)
    assert status == 202
    return json.loads(answer)


async def output(host: Attached, links: dict[str, str]) -> Any:
    return (await host.client.wait_for_completion(links["id"], SOON)).output


packages = pytest.mark.parametrize("package", ["durable_ext", NAME])


@packages
def test_chaining(package: str) -> None:
    async def test(host: Attached, _: Any) -> None:
        links = await started(host, "http_start", functionName="my_orchestrator")
        assert await output(host, links) == ["Hello Tokyo!", "Hello Seattle!", "Hello London!"]

    played("chaining", package, test)


@packages
def test_a_blueprint_in_a_plain_app(package: str) -> None:
    async def test(host: Attached, _: Any) -> None:
        assert await output(host, await started(host, "start_orchestrator")) == "Hello Seattle!"
        assert await host.call("ping") == (200, b"pong")

    played("plain_blueprint", package, test)


@packages
def test_fan_out(package: str, tmp_path: Path) -> None:
    async def test(host: Attached, module: Any) -> None:
        for number in range(12):
            (tmp_path / f"{number}.txt").write_bytes(b"x" * number)
        assert await output(host, await started(host, "backup", str(tmp_path))) == 66
        assert len(module.store) == 12

    played("fan_out", package, test)


@packages
@pytest.mark.parametrize(
    ("answers", "seconds", "expected"), [([1, 4711], "60", True), ([1, 2, 3], "60", False), ([], "0.01", False)]
)
def test_human_interaction(package: str, answers: list[int], seconds: str, expected: bool) -> None:
    async def test(host: Attached, _: Any) -> None:
        links = await started(host, "verify", seconds=seconds)
        for answer in answers:
            await host.client.raise_event(links["id"], "SmsChallengeResponse", answer)
        assert await output(host, links) is expected

    played("human_interaction", package, test)


@packages
def test_monitor(package: str) -> None:
    async def test(host: Attached, module: Any) -> None:
        links = await started(host, "HttpStart")
        assert await output(host, links) == "alerted"
        assert module.looked == ["mine", "mine", "mine", "alert mine"]

    played("monitor", package, test)


@packages
def test_counter(package: str) -> None:
    async def test(host: Attached, _: Any) -> None:
        for amount in (1, 2, 0):
            assert (await host.call("signal", str(amount).encode(), key="mine"))[0] == 202
        links = await started(host, "count", key="mine")
        assert await output(host, links) == [3, 13, 13]
        assert json.loads((await host.call("read", key="mine"))[1]) == {"exists": True, "state": 13}
        assert json.loads((await host.call("read_sync", key="mine"))[1]) == {"exists": True, "state": 13}
        assert json.loads((await host.call("read", key="nobody"))[1]) == {"exists": False, "state": None}
        assert await output(host, await started(host, "leave", key="mine")) == "refused"
        async with asyncio.timeout(SOON.total_seconds()):
            while json.loads((await host.call("read", key="mine"))[1])["exists"]:
                pass

    played("counter", package, test)
