"""Quarantine as operators have it: over HTTP, of earlier builds, without secrets (P11)."""

from __future__ import annotations

from typing import Any

import httpx

from durable_ext.http_api.app import create_app
from durable_ext.providers.contract import Catalog
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Quarantined
from durable_ext.worker.client import Client

from .quarantined import MOST, App, kept_by
from .two_stores import AnyHub, AzureBacked, on_both, run_on


@on_both
def test_operator_lists_shows_replays_and_deletes_over_http(store: str) -> None:
    """End to end through the management API, while the engine runs."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry)
        for instance_id in ("x", "y"):
            await first.client.start("listen", 1, instance_id=instance_id)
        await hub.settle(first)
        await first.stop()
        turns = {instance_id: (await hub.store.load(instance_id)).turns for instance_id in ("x", "y")}
        process = hub.process(App().registry, most_attempts=MOST)
        process.start()
        for instance_id in ("x", "y"):
            await hub.spoil(instance_id, 0)
            await process.client.raise_event(instance_id, "go", instance_id, message_id=f"{instance_id}/event:1")
            await hub.clock.sleep(60)
        async with _operator(process.client) as http:
            listed = (await http.get("/quarantine")).json()
            assert [one["instanceId"] for one in listed] == ["x", "y"]
            paths = [f"/quarantine/{one['id'].replace('/', '%2F')}" for one in listed]
            shown = (await http.get(paths[0])).json()
            assert shown == listed[0]
            assert shown["dequeueCount"] == MOST
            assert "cannot be read" in shown["reason"]
            assert shown["stack"].startswith("Traceback")
            for instance_id in ("x", "y"):
                await hub.mend(turns[instance_id])
            assert (await http.post(f"{paths[0]}/replay")).status_code == 202
            assert (await http.delete(paths[1])).status_code == 204
            assert (await http.get("/quarantine")).json() == []
            assert (await http.get(paths[0])).status_code == 404
        await hub.clock.sleep(5)
        assert await hub.output("x") == ["x"]
        assert await hub.status("y") is RuntimeStatus.RUNNING

    run_on(store, test)


def _operator(client: Client) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(create_app(client))
    return httpx.AsyncClient(transport=transport, base_url="http://hub.example/api/durabletask")


def test_row_that_an_earlier_build_kept_has_no_stack() -> None:
    """A table of before has no such column: its rows are listed, shown and replayed as they are."""

    async def test(hub: AnyHub) -> None:
        assert isinstance(hub, AzureBacked)
        catalog: Catalog = hub.azure
        kept = Quarantined(
            id="m", queue="hub-control-00", body="{}", reason="why", instance_id="x", dequeue_count=5, time=hub.clock()
        )
        await hub.azure.quarantine(kept)
        table = hub.azure.names.quarantine
        (entity,) = await hub.rows(table)
        del entity["Stack"]
        await hub.double.put_entity(table, entity)
        (entity,) = await hub.rows(table)
        assert "Stack" not in entity
        assert list(await catalog.list_quarantined()) == [kept]
        assert await catalog.read_quarantined("m") == kept
        assert await catalog.release_quarantined("m", replay=True)

    run_on("azure", test)


def test_secrets_in_an_error_are_not_kept() -> None:
    """Reason and stack come to people's eyes: what gives access is cut out of both."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry, most_attempts=1)
        await process.client.start("listen", 1, instance_id="x")
        await hub.settle(process)
        leaky = "AccountKey=c2VjcmV0; see https://a.blob/x?sv=1&sig=c2VjcmV0 and Authorization: Bearer c2VjcmV0"

        async def load(instance_id: str) -> Any:
            raise RuntimeError(f"{instance_id}: {leaky}")

        again = hub.process(App().registry, most_attempts=1)
        again.provider.load = load
        await again.client.raise_event("x", "go", 1)
        await hub.settle(again)
        (kept,) = await kept_by(hub)
        assert "RuntimeError: x: AccountKey=...; see" in kept.reason
        assert "c2VjcmV0" not in kept.reason + kept.stack

    run_on("sqlite", test)
