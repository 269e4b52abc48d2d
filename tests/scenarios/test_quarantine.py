"""Quarantine, whole engine: what cannot be processed is kept with its reason, and goes on once that is mended (P11)."""

from __future__ import annotations

import msgspec
import pytest

from durable_ext.records.codec import decode_messages
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import Message, RaiseEvent, RunActivity
from durable_ext.records.payloads import inline, stored
from durable_ext.testing.faults import Fault

from .hub import failing
from .quarantined import FROM_SCRATCH, MOST, App, kept_by
from .two_stores import AnyHub, AzureBacked, on_both, run_on


@on_both
@pytest.mark.parametrize("damage", ["spoiled", "missing"])
def test_undecodable_history_keeps_the_message_until_it_is_mended(store: str, damage: str) -> None:
    """A turn that cannot be decoded, or one that is missing: bounded attempts, then kept; replayed, it goes on."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry)
        await first.client.start("listen", 3, instance_id="x")
        for number in (1, 2):
            await hub.settle(first)
            await first.client.raise_event("x", "go", number)
        await hub.settle(first)
        await first.stop()
        turns = (await hub.store.load("x")).turns
        assert len(turns) == 3
        await (hub.spoil("x", 1) if damage == "spoiled" else hub.remove("x", 1))
        second = hub.process(App().registry, most_attempts=MOST)
        second.start()
        await second.client.raise_event("x", "go", 3)
        await hub.clock.sleep(60)
        (kept,) = await kept_by(hub)
        assert kept.instance_id == "x"
        assert kept.dequeue_count == MOST
        assert f"in {MOST} attempts: durable_ext.errors.StorageError" in kept.reason
        assert second.gate.calls.count("load") == MOST
        assert await hub.status("x") is RuntimeStatus.RUNNING
        await hub.mend(turns[1:2])
        assert await hub.store.release_quarantined(kept.id, replay=True)
        await hub.clock.sleep(5)
        assert await hub.output("x") == [1, 2, 3]
        assert await hub.store.list_quarantined() == []
        await second.stop()
        assert await hub.left() == []
        await hub.check("x")

    run_on(store, test)


@pytest.mark.parametrize("damage", ["gone", "no gzip"])
def test_history_in_a_blob_that_cannot_be_read_keeps_the_message(damage: str) -> None:
    """A long turn lies in a blob: one that is gone or is no gzip JSON is an undecodable history too."""

    async def test(hub: AnyHub) -> None:
        assert isinstance(hub, AzureBacked)
        first = hub.process(App().registry)
        await first.client.start("long_turn", instance_id="x")
        await hub.settle(first)
        turns = (await hub.store.load("x")).turns
        await first.stop()
        await (hub.remove_blob("x", 0) if damage == "gone" else hub.spoil("x", 0))
        second = hub.process(App().registry, most_attempts=MOST)
        second.start()
        await second.client.raise_event("x", "go", 7)
        await hub.clock.sleep(60)
        (kept,) = await kept_by(hub)
        assert ("is gone" if damage == "gone" else "no gzip") in kept.reason
        await hub.mend(turns[:1])
        assert await hub.store.release_quarantined(kept.id, replay=True)
        await hub.clock.sleep(5)
        assert await hub.output("x") == 7
        await hub.check("x")

    run_on("azure", test)


@on_both
def test_an_instance_that_cannot_be_read_holds_up_no_other(store: str) -> None:
    """Fairness: many messages for it, each tried a bounded number of times, and the others are done meanwhile."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry)
        for instance_id in ("bad", "good"):
            await first.client.start("listen", 20, instance_id=instance_id)
        await hub.settle(first)
        await first.stop()
        await hub.spoil("bad", 0)
        second = hub.process(App().registry, settings=FROM_SCRATCH, most_attempts=MOST)
        for number in range(20):
            for instance_id in ("bad", "good"):
                await second.client.raise_event(instance_id, "go", number)
        second.start()
        await hub.clock.sleep(2)
        assert await hub.output("good") == list(range(20))
        await hub.clock.sleep(60)
        assert len(await kept_by(hub)) == 20
        calls = len(second.gate.calls)
        await hub.clock.sleep(30)
        assert len(second.gate.calls) == calls

    run_on(store, test)


@on_both
def test_event_whose_payload_is_gone_takes_no_other_along(store: str) -> None:
    """It fails the turn of all that are there with it: each is tried by itself before any is given up."""

    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry, most_attempts=MOST)
        await process.client.start("listen", 6, instance_id="x")
        await hub.settle(process)
        for value in range(6):
            await process.client.raise_event("x", "go", value)
        messages = [message for delivery in await hub.take() for message in delivery.messages]
        await hub.store.send([_spoiled(message) if number == 2 else message for number, message in enumerate(messages)])
        await process.stop()
        again = hub.process(App().registry, most_attempts=MOST)
        again.start()
        await hub.clock.sleep(25)
        (kept,) = await kept_by(hub)
        assert kept.id == messages[2].id
        assert "x/gone" in kept.reason
        await again.client.raise_event("x", "go", "last")
        await hub.clock.sleep(5)
        got = await hub.output("x")
        assert sorted(map(str, got)) == ["0", "1", "3", "4", "5", "last"]

    run_on(store, test)


def _spoiled(message: Message) -> Message:
    assert isinstance(message.body, RaiseEvent)
    return msgspec.structs.replace(message, body=msgspec.structs.replace(message.body, input=stored("x/gone", 9)))


@on_both
def test_poison_work_item_fails_its_task_with_the_last_error(store: str) -> None:
    """Reason, cause and attempt count reach the orchestration; nothing of it is left in a queue."""

    async def test(hub: AnyHub) -> None:
        app = App()
        process = hub.process(app.registry, most_attempts=MOST)
        await process.client.start("ask", instance_id="x")
        await hub.settle_control(process)
        item = await hub.take_one(RunActivity)
        message = item.messages[0]
        assert isinstance(message.body, RunActivity)
        spoiled = msgspec.structs.replace(message, body=msgspec.structs.replace(message.body, input=stored("x/b", 9)))
        await hub.store.complete(item)
        await hub.store.send([spoiled])
        process.start()
        await hub.clock.sleep(60)
        kind, text, properties, cause = await hub.output("x")
        assert kind == "Poison"
        assert text.startswith(f"activity 'act' could not be run in {MOST} attempts: durable_ext.errors.StorageError")
        assert properties == {"attempts": MOST}
        assert "x/b" in cause
        assert app.ran == 0
        await process.stop()
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_undecodable_message_is_kept_at_once_with_its_stack(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        process = hub.process(App().registry)
        process.start()
        for body in ("{nonsense", '{"durable":{"v":1,"items":[{"id":"m"}]}}', '{"durable":{"v":99,"items":[]}}'):
            await hub.put_body(body)
        await process.client.start("ask", instance_id="x")
        await hub.clock.sleep(5)
        assert await hub.output("x") == "x"
        found = await kept_by(hub)
        assert sorted(one.body[:3] for one in found) == ['{"d', '{"d', "{no"]
        assert all("cannot be decoded" in one.reason and "Error" in one.stack for one in found)
        assert {one.dequeue_count for one in found} == {1}
        for one in found:
            assert await hub.store.release_quarantined(one.id, replay=False)
        assert await hub.store.list_quarantined() == []
        await process.stop()
        assert await hub.left() == []

    run_on(store, test)


@on_both
def test_non_determinism_is_kept_and_goes_on_with_the_code_it_knows(store: str) -> None:
    """R3: the history stays as it was; the operator mends the code and replays."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry)
        await first.client.start("listen", 1, instance_id="x")
        await hub.settle(first)
        await first.stop()
        before = await hub.store.history("x")
        changed = hub.process(App(changed=True).registry, most_attempts=MOST)
        changed.start()
        await changed.client.raise_event("x", "go", "at last")
        await hub.clock.sleep(60)
        (kept,) = await kept_by(hub)
        assert "NonDeterminismError" in kept.reason
        (message,) = decode_messages(kept.body)
        assert isinstance(message, Message)
        assert message.resent, "what is replayed is a repeat"
        assert await hub.store.history("x") == before
        assert await hub.status("x") is RuntimeStatus.RUNNING
        await changed.stop()
        assert await hub.store.release_quarantined(kept.id, replay=True)
        await hub.settle(hub.process(App().registry))
        assert await hub.output("x") == ["at last"]
        await hub.check("x")

    run_on(store, test)


@on_both
def test_error_that_passes_does_not_use_up_the_attempts(store: str) -> None:
    """Storage is throttled for longer than the attempts last: the message waits, and nothing is given up."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry)
        await first.client.start("listen", 1, instance_id="x")
        await hub.settle(first)
        await first.stop()
        loads = 0

        def throttled(verb: str, _number: int) -> Fault:
            nonlocal loads
            loads += verb == "load"
            return Fault.BEFORE if verb == "load" and loads <= 4 * MOST else Fault.NONE

        second = hub.process(App().registry, plan=throttled, most_attempts=MOST)
        second.start()
        await second.client.raise_event("x", "go", 1)
        await hub.clock.sleep(120)
        assert await hub.store.list_quarantined() == []
        assert await hub.output("x") == [1]
        await hub.check("x")

    run_on(store, test)


@on_both
def test_what_passes_and_never_ends_is_kept_with_its_reason(store: str) -> None:
    """Bounded all the same: an hour and a half of putting off, then an operator hears why."""

    async def test(hub: AnyHub) -> None:
        first = hub.process(App().registry)
        await first.client.start("listen", 1, instance_id="x")
        await hub.settle(first)
        await first.stop()
        second = hub.process(
            App().registry, plan=lambda verb, _: Fault.BEFORE if verb == "load" else Fault.NONE, most_attempts=1
        )
        second.start()
        await second.client.raise_event("x", "go", 1)
        await hub.clock.sleep(3 * 3600)
        (kept,) = await kept_by(hub)
        assert "503 ServerBusy" in kept.reason
        await second.stop()
        assert await hub.store.release_quarantined(kept.id, replay=True)
        await hub.settle(hub.process(App().registry))
        assert await hub.output("x") == [1]

    run_on(store, test)


@on_both
def test_outcome_in_quarantine_is_not_written_over(store: str) -> None:
    """The activity has run and its outcome waits for a damaged history; its work item, back again, must not fail it."""

    async def test(hub: AnyHub) -> None:
        app = App()
        first = hub.process(app.registry)
        await first.client.start("ask_and_listen", instance_id="x")
        await hub.settle_control(first)
        turns = (await hub.store.load("x")).turns
        await first.stop()
        await hub.spoil("x", 0)
        second = hub.process(app.registry, plan=failing("complete"), most_attempts=MOST)
        second.start()
        await hub.clock.sleep(120)
        kinds = sorted("finishTask" in one.body.lower() or "FinishTask" in one.body for one in await kept_by(hub))
        assert kinds == [False, True]
        assert app.ran == 1
        await hub.mend(turns[:1])
        for one in await hub.store.list_quarantined():
            await hub.store.release_quarantined(one.id, replay=True)
        await hub.clock.sleep(5)
        await second.client.raise_event("x", "go", 1)
        await hub.clock.sleep(5)
        assert await hub.output("x") == ["x", 1]
        await hub.check("x")

    run_on(store, test)


@on_both
def test_large_message_is_kept_and_replayed_whole(store: str) -> None:
    """Longer than a queue message may be: it went through a blob, lies in quarantine, and goes through a blob again."""

    async def test(hub: AnyHub) -> None:
        text = "long " * 12_000
        process = hub.process(App().registry)
        await process.client.start("measure", instance_id="x")
        await hub.settle(process)
        await process.client.raise_event("x", "go", 1)
        event = await hub.take_one(RaiseEvent)
        turns = (await hub.store.load("x")).turns
        await hub.spoil("x", 0)
        # In place, as a build with another limit would send it.
        body = RaiseEvent(name="go", input=inline(msgspec.json.encode(text)))
        event = msgspec.structs.replace(event, messages=(msgspec.structs.replace(event.messages[0], body=body),))
        await hub.process(App().registry, most_attempts=1).worker.process(event)
        await hub.store.complete(event)
        (kept,) = await kept_by(hub)
        await hub.mend(turns[:1])
        assert await hub.store.release_quarantined(kept.id, replay=True)
        await hub.settle(process)
        assert await hub.output("x") == len(text)

    run_on(store, test)
