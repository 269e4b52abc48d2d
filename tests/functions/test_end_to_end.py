"""The version 1 app from end to end: every route through the imitated Functions host, on the storage emulator (T6)."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from durable_ext.functions.stand_in import NAME, install

from .imitation_host import ImitationHost
from .test_apps import loaded
from .test_through_triggers import SOON, ended, hosted

pytestmark = pytest.mark.azurite
API = "https://orders.example/api"
Test = Callable[[ImitationHost], Awaitable[None]]


@pytest.fixture(autouse=True)
def settings(monkeypatch: pytest.MonkeyPatch, azurite: str, hub: str) -> Iterator[None]:
    monkeypatch.setenv("AzureWebJobsStorage", azurite)
    monkeypatch.setenv("DURABLE_HUB", hub)
    monkeypatch.setenv("DURABLE_PARTITIONS", "1")
    before = {name for name in sys.modules if name.startswith(NAME)}
    install()
    yield
    for name in {name for name in sys.modules if name.startswith(NAME)} - before:
        del sys.modules[name]


def played(package: str, connection: str, test: Test) -> None:
    async def run() -> None:
        async with hosted(loaded("end_to_end", package).app, connection) as host:
            await test(host)
            assert host.failures == []

    asyncio.run(run())


async def run_to_end(host: ImitationHost, name: str, given: Any = None, query: str = "") -> dict[str, Any]:
    code, headers, links = await host.request("POST", f"{API}/start/{name}{query}", given)
    assert code == 202
    assert headers["location"] == links["statusQueryGetUri"]
    assert headers["retry-after"] == "10"
    return await ended(host, links)


async def reaches(host: ImitationHost, instance_id: str, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    """The status of an instance once it is as wanted."""
    async with asyncio.timeout(SOON.total_seconds()):
        while True:
            _, _, shown = await host.request("GET", f"{API}/status/{instance_id}")
            if shown and wanted(shown):
                return shown


OUTPUTS: tuple[tuple[str, Any, Any], ...] = (
    ("chain", None, ["Hello Tokyo!", "Hello Seattle!"]),
    ("fan_out", None, 285),
    ("nothing_to_do", None, []),
    ("retries", "mine", 3),
    ("too_few_retries", None, "caught: True"),
    ("counting_down", 3, "done"),
    ("event_or_timer", None, {"timer": True, "event": False, "completed": True}),
    ("first_of", None, {"failed": True, "message": True, "cancelled": True}),
    ("fails_fast", None, True),
    ("no_yield", {"a": [1]}, {"given": {"a": [1]}}),
)


@pytest.mark.parametrize("package", ["durable_ext", NAME])
def test_orchestrators(package: str, azurite: str) -> None:
    async def test(host: ImitationHost) -> None:
        ran = await asyncio.gather(*(run_to_end(host, name, given) for name, given, _ in OUTPUTS))
        assert [(name, shown["output"]) for (name, _, _), shown in zip(OUTPUTS, ran, strict=True)] == [
            (name, expected) for name, _, expected in OUTPUTS
        ]
        shown = await run_to_end(host, "parent", query="?id=p-1")
        assert shown["output"] == [["Hello Oslo!"], ["Hello Rome!"], 3]
        assert (await host.request("GET", f"{API}/status/p-1-child"))[0] == 200
        shown = await run_to_end(host, "ids", query="?id=i-1&version=2.0")
        assert shown["output"] == {"distinct": 3, "id": "i-1", "version": "2.0"}
        await rewinds(host)
        shown = await run_to_end(host, "uncaught", query="?id=u-1")
        assert shown["runtimeStatus"] == "Failed"
        assert "nobody catches this" in shown["output"]

    played(package, azurite, test)


async def rewinds(host: ImitationHost) -> None:
    """An activity that fails twice, without retries: each failure of the instance is rewound."""
    assert (await run_to_end(host, "rewound", query="?id=r-1"))["runtimeStatus"] == "Failed"
    for wanted in ("attempt 2", 3):
        assert (await host.request("POST", f"{API}/command/rewind/r-1"))[0] == 202
        shown = await reaches(host, "r-1", lambda status, wanted=wanted: str(wanted) in str(status.get("output")))
    assert (shown["runtimeStatus"], shown["output"]) == ("Completed", 3)


@pytest.mark.parametrize("package", ["durable_ext", NAME])
def test_the_client(package: str, azurite: str) -> None:
    async def test(host: ImitationHost) -> None:
        assert (await host.request("POST", f"{API}/wait/chain", ["Rome"]))[::2] == (200, ["Hello Rome!"])
        assert (await host.request("POST", f"{API}/wait/uncaught"))[0] == 500
        assert (await host.request("POST", f"{API}/start_sync/no_yield"))[::2] == (200, {"given": "sync"})
        await events(host)
        await commands(host)
        await queries(host)

    played(package, azurite, test)


async def events(host: ImitationHost) -> None:
    _, _, links = await host.request("POST", f"{API}/start/two_events?id=e-1")
    for event, data in (("e", 1), ("e", 2), ("b", 4), ("a", 3)):
        assert (await host.request("POST", f"{API}/raise/e-1/{event}", data))[0] == 202
    assert (await ended(host, links))["output"] == [1, 2, 3, 4]
    assert (await host.request("POST", f"{API}/raise/e-1/e", 1))[0] == 400
    assert (await host.request("POST", f"{API}/raise/nobody/e", 1))[0] == 400


async def commands(host: ImitationHost) -> None:
    _, _, links = await host.request("POST", f"{API}/start/falsy_status?id=f-1", [])
    shown = await reaches(host, "f-1", lambda status: status["runtimeStatus"] == "Running")
    assert (shown["customStatus"], shown["input"]) == (0, [])
    for name, state in (("suspend", "Suspended"), ("resume", "Running"), ("terminate", "Terminated")):
        assert (await host.request("POST", f"{API}/command/{name}/f-1"))[0] == 202
        await reaches(host, "f-1", lambda status, state=state: status["runtimeStatus"] == state)
    assert (await ended(host, links))["output"] == "because I say so"
    for name in ("suspend", "resume", "terminate"):
        assert (await host.request("POST", f"{API}/command/{name}/f-1"))[0] == 202
    for query, same in (("", True), ("?new=1", False)):
        _, _, links = await host.request("POST", f"{API}/restart/f-1{query}")
        assert (links["id"] == "f-1") is same
        await reaches(host, links["id"], lambda status: status["runtimeStatus"] == "Running")
        await host.request("POST", f"{API}/raise/{links['id']}/go", 1)
        assert (await ended(host, links))["output"] == []


async def queries(host: ImitationHost) -> None:
    _, _, everything = await host.request("GET", f"{API}/statuses")
    assert {"e-1", "f-1"} <= set(everything)
    _, _, found = await host.request("GET", f"{API}/statuses?statuses=Completed,Failed&prefix=e-")
    assert found == ["e-1"]
    _, _, shown = await host.request("GET", f"{API}/status/e-1")
    assert [event["EventType"] for event in shown["historyEvents"]].count("EventRaised") == 4
    _, _, links = await host.request("GET", f"{API}/payload/e-1")
    assert {"id", "statusQueryGetUri", "sendEventPostUri", "terminatePostUri", "suspendPostUri"} <= set(links)
    assert (await host.request("DELETE", f"{API}/purge/e-1"))[2] == 1
    assert (await host.request("DELETE", f"{API}/purge/e-1"))[2] == 0
    assert (await host.request("DELETE", f"{API}/purge"))[2] == len(everything) - 1
    assert (await host.request("GET", f"{API}/status/e-1"))[0] == 404
