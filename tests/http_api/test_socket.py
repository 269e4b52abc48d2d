"""The main routes over a real socket, served by uvicorn (T6)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import httpx
import uvicorn

from durable_ext.http_api import create_app
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import RaiseEvent

from .store import Hub, json_payload


@asynccontextmanager
async def served(hub: Hub) -> AsyncGenerator[httpx.AsyncClient]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    config = uvicorn.Config(create_app(hub.client), log_level="warning", lifespan="on")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    base_url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/durabletask/"
    try:
        # The socket queues what comes before uvicorn accepts, so there is nothing to wait for.
        listener.listen()
        async with httpx.AsyncClient(base_url=base_url, timeout=20) as client:
            yield client
    finally:
        server.should_exit = True
        await serving
        listener.close()


def test_the_life_of_an_instance() -> None:
    asyncio.run(_life_of_an_instance())


async def _life_of_an_instance() -> None:
    hub = Hub()
    async with served(hub) as client:
        started = await client.post("orchestrators/greet/a%3A1", json={"who": "ä"})
        assert started.status_code == 202
        urls = started.json()
        assert urls["statusQueryGetUri"] == f"{client.base_url}instances/a%3A1"

        pending = await client.get(urls["statusQueryGetUri"])
        assert (pending.status_code, pending.json()["runtimeStatus"]) == (202, "Pending")
        assert pending.json()["input"] == {"who": "ä"}
        assert pending.headers["location"] == urls["statusQueryGetUri"]

        url = urls["sendEventPostUri"].replace("{eventName}", "go")
        assert (await client.post(url, json=[1])).status_code == 202
        assert isinstance(hub.store.sent[-1].body, RaiseEvent)
        for name in ("suspendPostUri", "resumePostUri", "terminatePostUri"):
            answer = await client.post(urls[name].replace("{text}", "because"))
            assert (answer.status_code, answer.content) == (202, b"")
        assert (await client.delete(urls["purgeHistoryDeleteUri"])).status_code == 412

        hub.add("a:1", RuntimeStatus.COMPLETED, output=json_payload("done"))
        ended = await client.get(urls["statusQueryGetUri"])
        assert (ended.status_code, ended.json()["output"]) == (200, "done")
        assert (await client.post(url, json=[1])).status_code == 410
        again = await client.post(urls["restartPostUri"])
        assert again.status_code == 202
        listed = await client.get("instances/", params={"top": 1})
        assert len(listed.json()) == 1
        assert "x-ms-continuation-token" in listed.headers
        assert (await client.delete(urls["purgeHistoryDeleteUri"])).json() == {"instancesDeleted": 1}
        assert (await client.get(urls["statusQueryGetUri"])).status_code == 404
        assert (await client.put("instances/x")).status_code == 404


def test_a_large_input_arrives_whole() -> None:
    asyncio.run(_large_input())


async def _large_input() -> None:
    hub = Hub()
    text = "x" * 5_000_000
    async with served(hub) as client:
        assert (await client.post("orchestrators/greet/big", json=text)).status_code == 202
        assert (await client.get("instances/big")).json()["input"] == text


def test_a_waiting_start_does_not_hold_up_others() -> None:
    asyncio.run(_waiting_start())


async def _waiting_start() -> None:
    hub = Hub()
    async with served(hub) as client:
        waiting = asyncio.create_task(client.post("orchestrators/greet/slow?timeout=15"))
        for _ in range(1000):
            assert (await client.get("instances")).status_code == 200
            if hub.row("slow") is not None:
                break
        hub.add("slow", RuntimeStatus.COMPLETED, output=json_payload({"price": 1.5}))
        answer = await waiting
        assert (answer.status_code, answer.json()) == (200, {"price": 1.5})
