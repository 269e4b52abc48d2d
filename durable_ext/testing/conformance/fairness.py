"""Nobody waits for ever: neither behind a flood of another instance's messages nor behind what keeps coming back."""

from __future__ import annotations

from datetime import timedelta

from durable_ext.records.ids import partition_of
from durable_ext.testing.conformance.samples import NO_WAIT, message, receive, work_item
from durable_ext.testing.conformance.store import Conformance, Store, on_store

_LEASE = timedelta(minutes=5)
_FLOOD = 150


def _neighbour(store: Store, instance_id: str, *, same_queue: bool) -> str:
    """The id of another instance, in the same partition or in another one if there is one."""
    partitions = store.provider.partitions
    own = partition_of(instance_id, partitions)
    names = (f"quiet-{number}" for number in range(1000))
    return next(name for name in names if partitions == 1 or (partition_of(name, partitions) == own) is same_queue)


class FairnessConformance(Conformance):
    """receive_control, receive_work and abandon, when somebody has very much to do."""

    @on_store
    async def test_a_flooded_instance_does_not_starve_its_neighbour(self, store: Store) -> None:
        """In one queue a message waits for those before it, and for no others, however many come after it."""
        busy, quiet = "busy", _neighbour(store, "busy", same_queue=True)
        await store.provider.send([message(busy, number, store.clock()) for number in range(_FLOOD)])
        await store.provider.send([message(quiet, 0, store.clock())])
        await store.provider.send([message(busy, _FLOOD + number, store.clock()) for number in range(_FLOOD)])
        seen: list[str] = []
        while quiet not in seen:
            found = await receive(store, quiet, lease=_LEASE)
            assert found, "it never came"
            seen += [one.instance_id for delivery in found for one in delivery.messages]
            await store.provider.send([message(busy, 0, store.clock())] * len(found))
            assert len(seen) < 5 * _FLOOD, "it never came"
        assert seen.index(quiet) == _FLOOD

    @on_store
    async def test_a_flooded_partition_does_not_starve_another(self, store: Store) -> None:
        busy, quiet = "busy", _neighbour(store, "busy", same_queue=False)
        await store.provider.send([message(busy, number, store.clock()) for number in range(_FLOOD)])
        await store.provider.send([message(quiet, 0, store.clock())])
        # With a single queue, behind the flood; else at once.
        for _ in range(_FLOOD + 1 if store.provider.partitions == 1 else 1):
            (delivery,) = await receive(store, quiet, lease=_LEASE, limit=1)
            if any(one.instance_id == quiet for one in delivery.messages):
                return
        raise AssertionError("it did not come in its turn")

    @on_store
    async def test_work_of_one_instance_does_not_starve_that_of_another(self, store: Store) -> None:
        """First come, first served: what came before is taken before, and what comes later is not."""
        await store.provider.send([work_item("busy", number, store.clock()) for number in range(_FLOOD)])
        await store.provider.send([work_item("quiet", 0, store.clock())])
        await store.provider.send([work_item("busy", _FLOOD + number, store.clock()) for number in range(_FLOOD)])
        seen: list[str] = []
        while "quiet" not in seen:
            found = await store.feed.receive_work(limit=8, lease=_LEASE, wait=NO_WAIT)
            assert found, "it never came"
            seen += [one.instance_id for delivery in found for one in delivery.messages]
            await store.provider.send([work_item("busy", 0, store.clock())] * len(found))
            assert len(seen) < 5 * _FLOOD, "it never came"
        assert seen.index("quiet") == _FLOOD

    @on_store
    async def test_what_keeps_coming_back_starves_nobody(self, store: Store) -> None:
        """A message that fails at once, again and again, lets the others through."""
        for number in range(4):
            await store.provider.send([message("failing", number, store.clock())])
        waiting = {f"message-{number}" for number in range(100, 120)}
        await store.provider.send([message("failing", number, store.clock()) for number in range(100, 120)])
        for _ in range(100):
            for delivery in await receive(store, "failing", lease=_LEASE, limit=2):
                ids = {one.id for one in delivery.messages}
                if ids & waiting:
                    waiting -= ids
                    await store.provider.complete(delivery)
                else:
                    await store.provider.abandon(delivery)
            if not waiting:
                return
            await store.pass_time(0.05)
        raise AssertionError(f"{len(waiting)} messages never came")
