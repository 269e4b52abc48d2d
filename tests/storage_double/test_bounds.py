"""What is read from storage has bounds: blobs by the size that their references tell, pages by their length."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from durable_ext.errors import StorageError
from durable_ext.providers.azure_storage import blobs, catalog, quarantine
from durable_ext.providers.azure_storage.names import content_name, size_in
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.events import TaskScheduled
from durable_ext.records.failures import Failure
from durable_ext.records.messages import Quarantined
from durable_ext.records.payloads import inline, stored
from durable_ext.testing.conformance import samples
from durable_ext.testing.storage_double import StorageDouble
from durable_ext.testing.virtual_time import VirtualClock, run

EVERY = InstanceFilter()
CONTAINER = "hub-largemessages"
Test = Callable[[AzureStorageProvider, StorageDouble, VirtualClock], Awaitable[None]]


def on_the_double(test: Test) -> None:
    async def main(clock: VirtualClock) -> None:
        double = StorageDouble(clock)
        provider = AzureStorageProvider("", "Hub", 4, clock=clock, client=double)
        await provider.create_hub()
        await test(provider, double, clock)

    run(main)


async def every_blob(double: StorageDouble) -> list[str]:
    return (await double.list_blobs(CONTAINER, "")).names


def test_a_blob_name_tells_the_size() -> None:
    assert size_in(content_name(b"12345")) == 5
    assert size_in(f"a/turn-0-{content_name(b'')}") == 0
    assert size_in(f"http://host/{CONTAINER}/a/{content_name(b'1')}") == 1
    assert size_in("a/" + "0" * 64 + ".json.gz") is None


@pytest.mark.parametrize("grown", [b"0" * 50_000_000, b"1" * 40_001, b"2" * 39_999])
def test_a_payload_of_another_size_than_recorded_is_refused(grown: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    unpacked: list[int] = []
    unpack = blobs._unpack  # pyright: ignore[reportPrivateUsage]

    def measured(packed: bytes, most: int) -> bytes | None:
        data = unpack(packed, most)
        unpacked.append(0 if data is None else len(data))
        return data

    monkeypatch.setattr(blobs, "_unpack", measured)

    async def test(provider: AzureStorageProvider, double: StorageDouble, _: VirtualClock) -> None:
        payload = await provider.put_payload("a", b"9" * 40_000)
        assert await provider.get_payload(payload) == b"9" * 40_000
        await double.put_blob(CONTAINER, payload.blob or "", gzip.compress(grown))
        with pytest.raises(StorageError, match="40000"):
            await provider.get_payload(payload)

    on_the_double(test)
    assert max(unpacked) <= 40_001


def test_a_reference_of_an_earlier_build_tells_the_size_too() -> None:
    async def test(provider: AzureStorageProvider, double: StorageDouble, _: VirtualClock) -> None:
        name = "a/" + "0" * 64 + ".json.gz"
        await double.put_blob(CONTAINER, name, gzip.compress(b"1" * 100))
        assert await provider.get_payload(stored(name, 100)) == b"1" * 100
        with pytest.raises(StorageError, match="99"):
            await provider.get_payload(stored(name, 99))

    on_the_double(test)


def test_without_any_size_there_is_a_bound_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "MAX_BLOB_BYTES", 1000)

    async def test(provider: AzureStorageProvider, double: StorageDouble, _: VirtualClock) -> None:
        await double.put_blob(CONTAINER, "a/old.json.gz", gzip.compress(b"1" * 1000))
        assert len(await provider.get_payload(stored("a/old.json.gz", 0))) == 1000
        await double.put_blob(CONTAINER, "a/old.json.gz", gzip.compress(b"1" * 1001))
        with pytest.raises(StorageError, match="1000"):
            await provider.get_payload(stored("a/old.json.gz", 0))

    on_the_double(test)


def test_every_blob_of_the_engine_tells_its_size() -> None:
    async def test(provider: AzureStorageProvider, double: StorageDouble, clock: VirtualClock) -> None:
        of = samples.execution("a")
        failure = Failure(type="T", message="m", traceback="x" * 70_000)
        long = TaskScheduled(id=0, name="n" * 40_000, input=inline(b"1"))
        row = msgspec.structs.replace(samples.row(of, clock()), failure=failure, input=samples.text(40_000))
        await provider.create_row(row)
        await provider.put_payload("a", samples.text(40_000).data)
        await provider.append(samples.turn(of, 0, clock(), events=[long]))
        await provider.send([samples.message("a", n, clock()) for n in range(2)])
        large = msgspec.structs.replace(samples.message("a", 1, clock()), id="i" * 70_000)
        await provider.send([large])
        await provider.quarantine(kept("m", "x" * 70_000, clock))
        names = await every_blob(double)
        assert len(names) >= 4
        assert [name for name in names if size_in(name) is None] == []
        for name in names:
            packed = await double.get_blob(CONTAINER, name)
            assert packed is not None
            assert size_in(name) == len(gzip.decompress(packed))

    on_the_double(test)


def kept(name: str, body: str, clock: VirtualClock) -> Quarantined:
    return Quarantined(id=name, queue="q", body=body, reason="", instance_id="i", dequeue_count=1, time=clock())


def test_a_page_ends_where_rows_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog, "MAX_PAGE_BYTES", 8000)

    async def test(provider: AzureStorageProvider, _double: StorageDouble, clock: VirtualClock) -> None:
        for number, size in enumerate((2000, 2000, 2000, 20_000, 100, 20_000)):
            row = samples.row(samples.execution(f"i{number}"), clock())
            await provider.create_row(msgspec.structs.replace(row, input=samples.text(size)))
        failed = samples.row(samples.execution("i6"), clock())
        failure = Failure(type="T", message="m", traceback="x" * 70_000)
        await provider.create_row(msgspec.structs.replace(failed, failure=failure))
        for limit in (100, 2):
            seen: list[list[str]] = []
            continuation: str | None = None
            while True:
                page = await provider.query(EVERY, limit=limit, continuation=continuation)
                seen.append([row.instance_id for row in page.rows])
                continuation = page.continuation
                if continuation is None:
                    break
            assert [one for page in seen for one in page] == [f"i{number}" for number in range(7)]
            assert ["i3"] in seen
            assert ["i5"] in seen
            assert max(map(len, seen)) <= 3

    on_the_double(test)


def test_a_list_of_kept_messages_ends_where_they_are_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "MAX_PAGE_BYTES", 100)

    async def test(provider: AzureStorageProvider, _double: StorageDouble, clock: VirtualClock) -> None:
        for number in (3, 1, 0, 2):
            await provider.quarantine(kept(f"m{number}", "x" * 60, clock))
        assert [message.id for message in await provider.list_quarantined()] == ["m0", "m1"]
        assert [message.id for message in await provider.list_quarantined(limit=1)] == ["m0"]

    on_the_double(test)
