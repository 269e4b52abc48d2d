"""Purge, prune and sweep (P3, P7, P10): neighbours keep theirs, a crash leaves something to purge again."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import msgspec
import pytest

from durable_ext.errors import StorageError, StorageUnavailableError, TurnLostError
from durable_ext.providers.azure_storage.client import BlobPage, Change
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.events import ContinuedAsNew
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import inline

from .samples import NOW, completed, execution, message, opened, row, started, turn

pytestmark = pytest.mark.azurite

LATER = NOW + timedelta(days=1)
DONE = row(status=RuntimeStatus.COMPLETED, turn=2)


async def _finish(provider: AzureStorageProvider, turns: int = 3) -> None:
    await provider.create_row(DONE)
    for number in range(turns - 1):
        await provider.append(turn(number))
    last = (completed(),) if turns > 1 else (started(), completed())
    await provider.append(turn(turns - 1, *last))


def test_a_purge_spares_the_neighbours(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await _finish(provider)
            await provider.create_row(row("order-10"))
            await provider.append(turn(of=execution("order-10")))
            mine = await provider.put_payload("order-1", b'"mine"')
            theirs = await provider.put_payload("order-10", b'"theirs"')
            await provider.purge(DONE)
            await provider.purge(DONE)
            assert await provider.read_row("order-1") is None
            with pytest.raises(StorageError, match="gone"):
                await provider.get_payload(mine)
            assert await provider.get_payload(theirs) == b'"theirs"'
            assert len((await provider.load("order-10")).turns) == 1
            assert await provider.history("order-1", "e1") == ()
            assert await provider.consumed("order-1") == frozenset()

    asyncio.run(main())


@pytest.mark.parametrize("turns", [1, 3])
def test_a_stalled_process_loses_until_the_tombstone_is_swept(azurite: str, turns: int) -> None:
    async def main() -> None:
        async with opened(azurite, clock=lambda: NOW) as provider:
            await _finish(provider, turns)
            await provider.purge(DONE)
            for commit_id in ("zombie", f"commit-{turns - 1}", ""):
                with pytest.raises(TurnLostError):
                    await provider.append(turn(turns - 1, completed(), commit_id=commit_id))
            loaded = await provider.load("order-1")
            assert (loaded.stored, loaded.turns, loaded.buried) == (None, (), {"e1"})
            assert await provider.sweep(NOW) == 0
            assert (await provider.load("order-1")).buried == {"e1"}
            assert await provider.sweep(LATER) == 1
            assert (await provider.load("order-1")).buried == frozenset()
            assert await provider.sweep(LATER) == 0

    asyncio.run(main())


def test_a_log_that_a_zombie_wrote_is_ignored_and_swept(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite, clock=lambda: NOW) as provider:
            await _finish(provider)
            await provider.purge(DONE)
            await provider.append(turn(1, commit_id="zombie"))
            zombie = execution(execution_id="z")
            await provider.append(turn(4, of=zombie))
            fresh = row(execution=execution(execution_id="e2"))
            await provider.create_row(fresh)
            mine = turn(of=fresh.execution)
            await provider.append(mine)
            loaded = await provider.load("order-1")
            assert (loaded.turns, loaded.buried) == ((mine,), {"e1"})
            assert await provider.sweep(LATER) == 2
            assert (await provider.load("order-1")).turns == (mine,)
            await provider.append(turn(4, of=zombie, commit_id="gone, so this is an insert"))

    asyncio.run(main())


def test_a_sweep_leaves_the_tombstones_of_later_purges(azurite: str) -> None:
    async def main() -> None:
        times = [NOW]
        async with opened(azurite, clock=lambda: times[-1]) as provider:
            await _finish(provider)
            await provider.purge(DONE)
            second = execution(execution_id="e2")
            await provider.append(turn(0, started(), completed(), of=second))
            times.append(LATER)
            await provider.purge(row(execution=second))
            assert (await provider.load("order-1")).buried == {"e1", "e2"}
            assert await provider.sweep(NOW + timedelta(hours=12)) == 1
            assert (await provider.load("order-1")).buried == {"e2"}
            assert await provider.sweep(LATER + timedelta(hours=1)) == 1

    asyncio.run(main())


class Dies(HttpClient):
    """Fails at the n-th call that deletes or lists, and at all that follow: there are four."""

    left = 10**9

    def _count(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise StorageUnavailableError("the process died")

    async def list_blobs(self, container: str, prefix: str, continuation: str | None = None) -> BlobPage:
        self._count()
        return await super().list_blobs(container, prefix, continuation)

    async def change_entities(self, table: str, changes: Sequence[Change]) -> None:
        self._count()
        await super().change_entities(table, changes)

    async def delete_blob(self, container: str, name: str, etag: str = "*") -> None:
        self._count()
        await super().delete_blob(container, name, etag)

    async def delete_entity(self, table: str, partition_key: str, row_key: str, etag: str = "*") -> None:
        self._count()
        await super().delete_entity(table, partition_key, row_key, etag)


def test_a_purge_goes_on_wherever_it_stopped(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            client = Dies(parse_connection_string(azurite))
            dying = AzureStorageProvider(azurite, provider.names.hub, 1, client=client)
            for calls in range(4):
                payload = await provider.put_payload("order-1", b'"mine"')
                done = msgspec.structs.replace(DONE, output=payload)
                await provider.create_row(done)
                for number in range(3):
                    await provider.append(turn(number))
                await provider.append(turn(3, completed()))
                client.left = calls
                with pytest.raises(StorageUnavailableError):
                    await dying.purge(done)
                assert await provider.read_row("order-1") is not None
                # Nothing is lost before it is known what is to go.
                assert bool((await provider.load("order-1")).turns) == (calls < 2)
                await provider.purge(done)
                assert await provider.read_row("order-1") is None
                with pytest.raises(StorageError):
                    await provider.get_payload(payload)
                assert await provider.sweep(LATER + timedelta(days=9999)) >= 1
                assert (await provider.load("order-1")).buried == frozenset()
            await dying.close()

    asyncio.run(main())


def test_an_instance_that_was_started_anew_is_not_purged(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await _finish(provider)
            stored = await provider.read_row("order-1")
            assert stored is not None
            anew = row(execution=execution(execution_id="e2", generation=1))
            await provider.create_row(anew, replacing=stored.etag)
            await provider.purge(DONE)
            found = await provider.read_row("order-1")
            assert found is not None
            assert found.row == anew

    asyncio.run(main())


def test_prune_deletes_old_executions_that_ended(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            large = inline(b'"' + b"x" * 50_000 + b'"')
            for generation in range(4):
                of = execution(execution_id=f"e{generation}", generation=generation)
                time = NOW + timedelta(days=generation)
                following = ContinuedAsNew(input=large, execution_id=f"e{generation + 1}")
                await provider.append(turn(0, of=of, time=time, message_ids=(f"a{generation}",)))
                await provider.append(turn(1, following, of=of, time=time, message_ids=(f"b{generation}",)))
            await provider.append(turn(0, of=execution(execution_id="open"), message_ids=("open",)))
            for _ in range(2):
                await provider.prune("order-1", below_generation=3, older_than=NOW + timedelta(days=2))
                assert await provider.consumed("order-1") == {"a2", "b2", "a3", "b3", "open"}
            assert await provider.history("order-1", "e0") == ()
            assert len(await provider.history("order-1", "e2")) == 2
            assert len(await provider.history("order-1", "e3")) == 2

    asyncio.run(main())


def test_a_purge_takes_the_blobs_of_messages_and_turns(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await _finish(provider)
            await provider.append(turn(3, completed(), message_ids=tuple(f"{n:040}" for n in range(2000))))
            await provider.send([message(input=inline(b'"' + b"x" * 90_000 + b'"'))])
            client = HttpClient(parse_connection_string(azurite))
            assert len((await client.list_blobs(provider.names.blobs, "")).names) == 2
            await provider.purge(DONE)
            assert (await client.list_blobs(provider.names.blobs, "")).names == []
            await client.close()

    asyncio.run(main())
