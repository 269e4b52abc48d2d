"""What an app encrypts is nowhere in storage to be read, and its code sees plain values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_ext import (
    ActivityContext,
    Client,
    EncryptedConverter,
    JsonConverter,
    OrchestrationContext,
    Registry,
    TaskFailedError,
    Worker,
    WorkerSettings,
)
from durable_ext.authoring.encryption import Seal
from durable_ext.authoring.payload import place_of
from durable_ext.errors import PayloadError
from durable_ext.host.pump import Pump
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.failures import Failure
from durable_ext.records.payloads import inline
from durable_ext.testing.histories import check_replay, fetch_history, write_history
from durable_ext.worker.payload_store import PayloadStore

from .running import PATIENCE, failure_of, running

SECRET = "Ada Lovelace"


class Flipping:
    """Encrypts so that a test can tell; key ids are names."""

    def __init__(self, *keys: str) -> None:
        self.keys = keys

    def encrypt(self, data: bytes) -> tuple[str, bytes]:
        return self.keys[-1], bytes(byte ^ 0x55 for byte in data)

    def decrypt(self, key_id: str, data: bytes) -> bytes:
        if key_id not in self.keys:
            raise LookupError("no such key")
        return bytes(byte ^ 0x55 for byte in data)


class RefusedError(Exception):
    @property
    def properties(self) -> dict[str, Any]:
        return {"name": SECRET}


async def greet(ctx: ActivityContext, name: str) -> str:
    assert name == SECRET
    return f"hello {name}"


async def refuse(name: str) -> None:
    raise RefusedError(f"not {name}")


async def child(ctx: OrchestrationContext, name: str) -> str:
    return await ctx.call_activity(greet, name, placement="queue")


async def main(ctx: OrchestrationContext, name: str) -> list[str]:
    ctx.set_custom_status({"for": name})
    told = await ctx.wait_for_external_event("told", str)
    found = [told, await ctx.call_sub_orchestrator(child, name), await ctx.call_activity(greet, name)]
    try:
        await ctx.call_activity(refuse, name)
    except TaskFailedError as error:
        found.append(error.failure.properties["name"])
    return found


async def again(ctx: OrchestrationContext, rounds: list[str]) -> list[str] | None:
    if len(rounds) == 3:
        return rounds
    ctx.continue_as_new([*rounds, SECRET])
    return None


async def fails(ctx: OrchestrationContext, name: str) -> None:
    await ctx.call_activity(refuse, name)


def registry_of(converter: Any) -> Registry:
    registry = Registry(converter)
    for activity in (greet, refuse):
        registry.add_activity(activity)
    for orchestrator in (child, main, again, fails):
        registry.add_orchestrator(orchestrator)
    return registry


@asynccontextmanager
async def working(file: Path, registry: Registry, *, sessions: bool = True) -> AsyncGenerator[Worker]:
    store = SqliteProvider(str(file), partitions=1)
    await store.create_hub()
    worker = Worker(store, store, registry, settings=WorkerSettings(sessions=sessions))
    pump = Pump(worker, store, store)
    tasks = [asyncio.create_task(pump.keep_leases()), asyncio.create_task(pump.poll())]
    try:
        async with asyncio.timeout(PATIENCE):
            yield worker
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await worker.drain(timedelta(seconds=5))
        await pump.settle(timedelta(seconds=1))
        await store.close()


async def end_of(worker: Worker, name: str, value: Any) -> Any:
    instance_id = await worker.client.start(name, value)
    if name == "main":
        await worker.client.raise_event(instance_id, "told", f"by {SECRET}")
    return await worker.client.wait_for_completion(instance_id, timedelta(seconds=PATIENCE))


def stored_in(file: Path) -> bytes:
    return b"".join(one.read_bytes() for one in file.parent.glob(file.name + "*"))


@pytest.mark.parametrize("sessions", [True, False])
def test_nothing_is_to_be_read_in_storage(tmp_path: Path, sessions: bool) -> None:
    file = tmp_path / "hub.db"

    async def test() -> None:
        registry = registry_of(EncryptedConverter(Flipping("k1")))
        async with working(file, registry, sessions=sessions) as worker:
            status = await end_of(worker, "main", SECRET)
            assert status.output == [f"by {SECRET}", f"hello {SECRET}", f"hello {SECRET}", SECRET]
            assert (status.input, status.custom_status) == (SECRET, {"for": SECRET})
            assert (await end_of(worker, "again", [])).output == [SECRET] * 3
            failed = await end_of(worker, "fails", SECRET)
            assert SECRET in failed.failure.message
            assert failed.failure.cause.properties == {"name": SECRET}
            assert b"$encrypted" in stored_in(file)
            assert SECRET.encode() not in stored_in(file)
            # Who has no key sees the envelopes, and the types of failures.
            bare = await Client(worker.provider, worker.catalog).get(failed.instance_id)
            assert bare is not None
            assert bare.failure is not None
            assert (bare.failure.type, bare.failure.message) == ("durable_ext.errors.TaskFailedError", "(encrypted)")
            assert bare.input["$encrypted"]["key"] == "k1"
            write_history(await fetch_history(worker.client, status.instance_id), tmp_path / "history.json")
        check_replay(registry, tmp_path / "history.json")

    asyncio.run(test())


def test_without_a_cipher_all_is_there_to_be_read(tmp_path: Path) -> None:
    file = tmp_path / "hub.db"

    async def test() -> None:
        async with working(file, registry_of(JsonConverter())) as worker:
            await end_of(worker, "main", SECRET)

    asyncio.run(test())
    assert SECRET.encode() in stored_in(file)


def test_keys_are_rotated(tmp_path: Path) -> None:
    async def test() -> None:
        file = tmp_path / "hub.db"
        async with working(file, registry_of(EncryptedConverter(Flipping("k1")))) as worker:
            await worker.client.start("main", SECRET, instance_id="it")
            await worker.client.wait_until("it", lambda row: row.custom_status is not None, timedelta(seconds=PATIENCE))
        async with working(file, registry_of(EncryptedConverter(Flipping("k1", "k2")))) as worker:
            await worker.client.raise_event("it", "told", "x")
            assert (await worker.client.wait_for_completion("it", timedelta(seconds=PATIENCE))).output[-1] == SECRET
        async with working(file, registry_of(EncryptedConverter(Flipping("k2")))) as worker:
            with pytest.raises(PayloadError, match=r"key 'k1' cannot be decrypted: LookupError; keep old keys"):
                await worker.client.get("it")

    asyncio.run(test())


def test_failures_can_stay_readable() -> None:
    failure = Failure(type="a.B", message="text", bases=("OSError",), retryable=False, properties={"a": 1})
    open_one = Seal(EncryptedConverter(Flipping("k"), failures=False))
    assert open_one.close_failure(failure) is failure
    seal = Seal(EncryptedConverter(Flipping("k")))
    closed = seal.close_failure(failure)
    assert (closed.type, closed.message, closed.bases, closed.retryable) == ("a.B", "(encrypted)", ("OSError",), False)
    assert seal.close_failure(closed) is closed
    assert seal.open_failure(closed) == failure
    assert Seal(None).open_failure(closed) is closed


def test_what_an_activity_hands_in_is_encrypted() -> None:
    async def test() -> None:
        async with running(registry_of(EncryptedConverter(Flipping("k")))) as worker:
            failure = failure_of(await worker.run("refuse", SECRET))
            assert (failure.type, failure.message, failure.cause) == (f"{__name__}.RefusedError", "(encrypted)", None)
            result = (await worker.run("greet", SECRET, item="e-0-2")).result
            assert result is not None
            assert result.data.startswith(b'{"$encrypted":')

    asyncio.run(test())


def test_long_payloads_are_encrypted_blobs() -> None:
    class Blobs(SqliteProvider):
        inline_limit = 100

        async def put_payload(self, instance_id: str, data: bytes, *, owner: str = "") -> Any:
            put.append(data)
            return inline(data)

    put: list[bytes] = []

    async def test() -> None:
        store = PayloadStore(Blobs(":memory:"), EncryptedConverter(Flipping("k")))
        payload = await store.put("i", inline(b'"' + b"x" * 200 + b'"'))
        assert b"xxx" not in put[0]
        assert (await store.get(payload)).size == 202
        assert await store.put("i", await store.put("i", inline(b"5"))) == await store.put("i", inline(b"5"))

    asyncio.run(test())


def test_a_value_that_looks_alike_is_left_alone() -> None:
    seal = Seal(EncryptedConverter(Flipping("k")))
    text = b'{"$encrypted": "what the user wrote"}'
    assert seal.open(text) == text


def test_child_processes_need_the_inner_converter_only() -> None:
    assert place_of(EncryptedConverter(Flipping("k"))) == "durable_ext.authoring.payload:DEFAULT"
