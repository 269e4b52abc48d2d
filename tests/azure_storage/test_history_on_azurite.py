"""The commit (P2), big turns, the current execution, consumed messages, on real storage calls."""

from __future__ import annotations

import asyncio

import pytest

from durable_ext.errors import StorageError, TurnLostError
from durable_ext.providers.azure_storage.client import Entity
from durable_ext.providers.azure_storage.connection import parse_connection_string
from durable_ext.providers.azure_storage.http_client import HttpClient
from durable_ext.providers.azure_storage.provider import AzureStorageProvider
from durable_ext.records.events import ContinuedAsNew, EventRaised, TaskScheduled
from durable_ext.records.payloads import inline

from .samples import ODD_IDS, completed, execution, opened, row, started, turn

pytestmark = pytest.mark.azurite


def test_a_turn_is_inserted_once(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.append(turn())
            await provider.append(turn())  # our own insert, whose answer was lost
            with pytest.raises(TurnLostError):
                await provider.append(turn(commit_id="foreign"))
            await provider.append(turn(of=execution(execution_id="another")))
            assert await provider.history("order-1", "e1") == (turn(),)

    asyncio.run(main())


class LosesAnswers(HttpClient):
    """Every insert reaches storage twice, as after a lost answer and a retry of the transport."""

    async def insert_entity(self, table: str, entity: Entity) -> str:
        await super().insert_entity(table, entity)
        return await super().insert_entity(table, entity)


def test_an_insert_that_met_itself_is_a_commit(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            client = LosesAnswers(parse_connection_string(azurite))
            unlucky = AzureStorageProvider(azurite, provider.names.hub, 1, client=client)
            etag = await unlucky.create_row(row())
            await unlucky.append(turn())
            stored = await provider.read_row("order-1")
            assert stored is not None
            assert stored.etag == etag
            assert (await provider.load("order-1")).turns == (turn(),)
            await unlucky.close()

    asyncio.run(main())


def test_a_turn_of_5000_events_and_one_of_20_megabytes(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            many = tuple(TaskScheduled(id=number, name="resize", input=inline(b"1")) for number in range(5000))
            ids = tuple(f"message-{number}" for number in range(5000))
            large = EventRaised(name="file", input=inline(b'"' + b"x" * 20_000_000 + b'"'))
            turns = (turn(0), turn(1, *many, message_ids=ids), turn(2, large))
            for item in turns:
                await provider.append(item)
                await provider.append(item)
            assert (await provider.load("order-1")).turns == turns
            assert await provider.consumed("order-1") == {"m-0", "m-2", *ids}

    asyncio.run(main())


def test_a_history_of_more_than_a_page(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            turns = [turn(number) for number in range(1003)]
            for start in range(0, len(turns), 50):
                await asyncio.gather(*map(provider.append, turns[start : start + 50]))
            assert (await provider.load("order-1")).turns == tuple(turns)

    asyncio.run(main())


@pytest.mark.parametrize("instance_id", ODD_IDS)
def test_any_id_works_everywhere(azurite: str, instance_id: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            payload = await provider.put_payload(instance_id, b'"long"')
            record = row(instance_id, input=payload)
            etag = await provider.create_row(record)
            etag = await provider.update_row(record, etag)
            await provider.append(turn(of=record.execution))
            loaded = await provider.load(instance_id)
            assert loaded.stored is not None
            assert (loaded.stored.row, loaded.stored.etag) == (record, etag)
            assert loaded.turns == (turn(of=record.execution),)
            assert await provider.get_payload(payload) == b'"long"'
            await provider.purge(record)
            with pytest.raises(StorageError):
                await provider.get_payload(payload)
            after = await provider.load(instance_id)
            assert (after.stored, after.turns, after.buried) == (None, (), {"e1"})

    asyncio.run(main())


def test_ids_that_differ_in_case_are_two_instances(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            for instance_id in ("Order", "order"):
                await provider.create_row(row(instance_id, name=instance_id))
                await provider.append(turn(of=execution(instance_id), trigger_id=instance_id))
            for instance_id in ("Order", "order"):
                loaded = await provider.load(instance_id)
                assert loaded.stored is not None
                assert (loaded.stored.row.name, loaded.turns[0].trigger_id) == (instance_id, instance_id)

    asyncio.run(main())


def test_the_current_execution_may_be_ahead_of_the_row(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.create_row(row())
            following = ContinuedAsNew(input=inline(b"2"), execution_id="e2")
            await provider.append(turn(0, started(), following))
            second = turn(0, of=execution(execution_id="e2", generation=1))
            await provider.append(second)
            await provider.append(turn(1, of=execution(execution_id="e2", generation=1), message_ids=("late",)))
            await provider.append(turn(7, of=execution(execution_id="zombie", generation=9), message_ids=("z",)))
            loaded = await provider.load("order-1")
            assert [(item.execution.execution_id, item.number) for item in loaded.turns] == [("e2", 0), ("e2", 1)]
            assert loaded.turns[0] == second
            assert await provider.consumed("order-1") == {"m-0", "late"}
            assert await provider.history("order-1") == loaded.turns
            assert [item.number for item in await provider.history("order-1", "e1")] == [0]
            assert await provider.history("order-1", "zombie") == ()

    asyncio.run(main())


def test_the_row_decides_whose_start_won(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.append(turn(0, started(), completed()))
            await provider.create_row(row(execution=execution(execution_id="winner")))
            assert (await provider.load("order-1")).turns == ()
            mine = turn(0, of=execution(execution_id="winner"))
            await provider.append(mine)
            assert (await provider.load("order-1")).turns == (mine,)

    asyncio.run(main())


def test_a_restarted_instance_has_no_turns_yet(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            etag = await provider.create_row(row())
            await provider.append(turn(0, started(), completed()))
            await provider.create_row(row(execution=execution(execution_id="e2", generation=1)), replacing=etag)
            assert (await provider.load("order-1")).turns == ()
            assert len(await provider.history("order-1", "e1")) == 1

    asyncio.run(main())
