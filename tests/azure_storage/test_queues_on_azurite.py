"""Messages through real queues: bodies, delays, leases, wake-ups, defects, quarantine."""

from __future__ import annotations

import asyncio
import base64
import time
from datetime import timedelta

import msgspec
import pytest
from azure.storage.queue import QueueServiceClient

from durable_ext.errors import LeaseLostError
from durable_ext.providers.azure_storage.provider import AzureStorageProvider, utc_now
from durable_ext.records.codec import decode_messages, encode_message_reference
from durable_ext.records.limits import MAX_QUEUE_DELAY
from durable_ext.records.messages import Delivery, Quarantined
from durable_ext.records.payloads import inline

from .samples import LEASE, NOW, message, opened, received, work_item

pytestmark = pytest.mark.azurite

A_WHILE = timedelta(seconds=20)


def test_messages_arrive_as_they_were_sent(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            sent = [message(f"order-{number}", f"m{number}") for number in range(70)]
            await provider.send([*sent, work_item()])
            deliveries = await received(provider)
            assert [item for delivery in deliveries for item in delivery.messages] == sent
            assert len(deliveries) == 2
            (work,) = await provider.receive_work(limit=10, lease=LEASE, wait=A_WHILE)
            assert work.messages == (work_item(),)
            for delivery in [*deliveries, work]:
                assert delivery.dequeue_count == 1
                await provider.complete(delivery)
                await provider.complete(delivery)
            assert await received(provider) == []

    asyncio.run(main())


def test_each_instance_has_its_partition(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite, partitions=4) as provider:
            await provider.send([message("a"), message("abc")])
            for partition, instance_id in ((0, "a"), (3, "abc")):
                (found,) = await provider.receive_control(partition, limit=1, lease=LEASE, wait=timedelta(0))
                assert found.messages == (message(instance_id),)

    asyncio.run(main())


def test_a_message_that_does_not_fit_goes_through_a_blob(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            large = message(input=inline(b'"' + b"x" * 200_000 + b'"'))
            await provider.send([large, message(message_id="m2")])
            found = [item for delivery in await received(provider) for item in delivery.messages]
            assert found == [large, message(message_id="m2")]

    asyncio.run(main())


def test_a_message_is_hidden_until_it_is_due(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.send(
                [
                    message(due=utc_now() + timedelta(seconds=0.2)),
                    message(message_id="late", due=utc_now() + timedelta(days=90)),
                ]
            )
            assert await received(provider) == []
            (found,) = await received(provider, A_WHILE)
            assert found.messages[0].id == "m1"
            assert await received(provider) == []

    asyncio.run(main())


def _raw(azurite: str, queue: str) -> list[tuple[str, float]]:
    """Bodies, and seconds until they expire, as the SDK sees them."""
    with QueueServiceClient.from_connection_string(azurite) as service, service.get_queue_client(queue) as client:
        return [
            (str(item.content), (item.expires_on - item.inserted_on).total_seconds())
            for item in client.receive_messages(visibility_timeout=1)
            if item.expires_on is not None and item.inserted_on is not None
        ]


def test_a_body_is_base64_and_never_expires(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.send([message()])
            ((body, lifetime),) = _raw(azurite, provider.names.control[0])
            assert decode_messages(base64.b64decode(body, validate=True)) == (message(),)
            assert lifetime > 10 * 365 * 24 * 3600

    asyncio.run(main())


def test_a_lease_can_be_extended_and_lost(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.send([message()])
            (held,) = await received(provider)
            extended = await provider.extend(held, LEASE)
            assert extended == msgspec.structs.replace(held, receipt=extended.receipt)
            assert extended.receipt != held.receipt
            with pytest.raises(LeaseLostError):
                await provider.extend(held, LEASE)
            await provider.complete(held)
            await provider.abandon(held)
            assert await received(provider) == []
            await provider.abandon(extended)
            (again,) = await received(provider, A_WHILE)
            assert (again.messages, again.dequeue_count) == (held.messages, 2)
            await provider.complete(again)
            with pytest.raises(LeaseLostError):
                await provider.extend(again, LEASE)
            await provider.abandon(again)

    asyncio.run(main())


def test_a_reserved_message_is_held_already(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            held = await provider.reserve(message(), LEASE)
            assert held.messages == (message(),)
            assert await received(provider) == []
            held = await provider.extend(held, LEASE)
            await provider.abandon(held)
            (found,) = await received(provider, A_WHILE)
            # Storage counts this as the first delivery (P7).
            assert (found.messages, found.dequeue_count) == ((message(),), 2)
            await provider.complete(found)
            large = message(input=inline(b'"' + b"x" * 90_000 + b'"'))
            await provider.abandon(await provider.reserve(large, LEASE))
            (found,) = await received(provider, A_WHILE)
            assert (found.messages, found.dequeue_count) == ((large,), 2)
            held = await provider.reserve(message(), LEASE)
            await provider.complete(held)
            with pytest.raises(LeaseLostError):
                await provider.extend(held, LEASE)

    asyncio.run(main())


@pytest.mark.parametrize("hidden", [timedelta(0), timedelta(seconds=0.5)])
def test_a_send_of_this_process_wakes_its_receiver(azurite: str, hidden: timedelta) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            provider.feed.first_pause = provider.feed.longest_pause = timedelta(hours=1)
            waiting = asyncio.create_task(received(provider, A_WHILE))
            for _ in range(10):
                await provider.read_row("nobody")
            # Without the wake-up the receiver looks again at the end of its wait only.
            end = time.monotonic() + A_WHILE.total_seconds() / 2
            await provider.send([message(due=utc_now() + hidden)])
            (found,) = await waiting
            assert found.messages[0].id == "m1"
            waiting = asyncio.create_task(received(provider, A_WHILE))
            for _ in range(10):
                await provider.read_row("nobody")
            await provider.abandon(found)
            assert len(await waiting) == 1
            assert time.monotonic() < end

    asyncio.run(main())


def test_a_message_of_another_process_is_found_by_polling(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            other = AzureStorageProvider(azurite, provider.names.hub, 1)
            waiting = asyncio.create_task(received(provider, A_WHILE))
            await other.send([message()])
            (found,) = await waiting
            assert found.messages == (message(),)
            await other.close()

    asyncio.run(main())


def test_a_trigger_brings_a_delivery_whose_lease_the_host_holds(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.send([message()])
            ((body, _),) = _raw(azurite, provider.names.control[0])
            queue = provider.names.control[0]
            for text in (body, base64.b64decode(body).decode()):
                delivery = await provider.open_delivery(queue, "id", text, 3)
                assert delivery == Delivery(queue=queue, id="id", receipt=None, dequeue_count=3, messages=(message(),))
                assert await provider.extend(delivery, LEASE) == delivery
                await provider.complete(delivery)
                await provider.abandon(delivery)

    asyncio.run(main())


@pytest.mark.parametrize(
    "body",
    ["", "nonsense", "{}", '{"durable":{"v":99}}', "\\xff", '{"durable":{"v":1,"items":[{"id":1}]}}', "日本"],
)
def test_a_body_that_cannot_be_decoded_is_a_defect(azurite: str, body: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            delivery = await provider.open_delivery("q", "id", body, 1)
            assert delivery.messages == ()
            assert delivery.defect is not None
            assert (delivery.defect.body, bool(delivery.defect.reason)) == (body, True)

    asyncio.run(main())


def test_a_message_whose_blob_is_gone_is_a_defect(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            body = encode_message_reference("order-1/gone.json.gz").decode()
            delivery = await provider.open_delivery("q", "id", body, 1)
            assert delivery.defect is not None
            assert "gone" in delivery.defect.reason
            assert delivery.defect.body == body

    asyncio.run(main())


def test_a_long_delay_is_cut_to_what_queues_can(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            held = await provider.reserve(message(), timedelta(days=30))
            await provider.abandon(held, MAX_QUEUE_DELAY * 10)
            assert await received(provider) == []

    asyncio.run(main())


def _kept(message_id: str, body: str, seconds: int) -> Quarantined:
    return Quarantined(
        id=message_id,
        queue="",
        body=body,
        reason="x" * 50_000,
        instance_id="order-1",
        dequeue_count=5,
        time=NOW + timedelta(seconds=seconds),
    )


def test_quarantined_messages_are_listed_and_replayed(azurite: str) -> None:
    async def main() -> None:
        async with opened(azurite) as provider:
            await provider.send([message()])
            ((text, _),) = _raw(azurite, provider.names.control[0])
            body = base64.b64decode(text).decode()
            queue = provider.names.control[0]
            small = msgspec.structs.replace(_kept("a/b?", body, 2), queue=f"{queue}-poison", reason="why")
            large = msgspec.structs.replace(_kept("large", "ü" * 40_000, 1), queue=queue, reason="why")
            for item in (small, large, small):
                await provider.quarantine(item)
            assert await provider.list_quarantined() == [large, small]
            assert await provider.list_quarantined(limit=1) == [large]
            assert await provider.release_quarantined("nobody", replay=True) is False
            assert await provider.release_quarantined("large", replay=False) is True
            assert await provider.release_quarantined("a/b?", replay=True) is True
            assert await provider.list_quarantined() == []
            assert [item.messages for item in await received(provider, A_WHILE)] == [(message(),)]
            await provider.quarantine(_kept("long reason", "b", 0))
            assert len((await provider.list_quarantined())[0].reason) > 1000

    asyncio.run(main())
