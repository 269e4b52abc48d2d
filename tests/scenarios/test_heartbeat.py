"""A process that dies with messages in its hands, where the host keeps them hidden for ten minutes (F2)."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from durable_ext.authoring.options import Placement
from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.messages import RunActivity, StartExecution
from durable_ext.testing.faults import Fault
from durable_ext.worker.settings import WorkerSettings

from .dead_processes import HIDDEN, App, calls, dead, hide, start
from .engine import make_process
from .hub import Hub, run

_ABOUT_A_MINUTE = 75
_JOURNAL_VERBS = ("write_journal", "delete_journal", "journals")


def test_what_a_dead_process_held_goes_on_within_about_a_minute() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        names = await dead(hub, app)
        hub.process(app.registry).start()
        await hub.clock.sleep(_ABOUT_A_MINUTE + 5)
        assert [await hub.status(name) for name in names] == [RuntimeStatus.COMPLETED] * 3
        assert await hub.store.journals() == []
        await hub.clock.sleep(HIDDEN.total_seconds())
        for name in names:
            await hub.check(name)
        assert set(app.runs.values()) == {2}
        assert await hub.left() == []

    run(test)


def test_an_activity_of_the_queue_goes_on_too() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, placement="queue")
        process = hub.process(app.registry)
        names = await start(process, 3)
        await process.handle(*await hide(hub))
        process.begin(*await hide(hub))
        await hub.clock.sleep(3)
        await process.kill()
        hub.process(app.registry).start()
        await hub.clock.sleep(_ABOUT_A_MINUTE + 5)
        assert [await hub.status(name) for name in names] == [RuntimeStatus.COMPLETED] * 3
        await hub.clock.sleep(HIDDEN.total_seconds() * 2)
        assert set(app.runs.values()) == {2}, "the hidden message found its outcome in history"
        assert await hub.left() == []

    run(test)


def test_work_that_is_done_at_once_costs_no_heartbeat() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=0.5)
        process = hub.process(app.registry)
        for _ in range(5):
            await start(process, 1)
            await process.handle(*await hide(hub))
            await hub.clock.sleep(5)
            await hub.store.purge(await hub.row("order-0"))
        assert calls(process, *_JOURNAL_VERBS) == []

    run(test)


def test_a_heartbeat_costs_the_same_however_much_is_held() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=3600)
        process = hub.process(app.registry, settings=WorkerSettings(activity_slots=500))
        await start(process, 300)
        process.begin(*await hide(hub))
        await hub.clock.sleep(2)
        before = len(calls(process, *_JOURNAL_VERBS))
        assert before <= 3
        await hub.clock.sleep(600)
        beats = 600 / WorkerSettings().heartbeat.total_seconds()
        assert beats <= len(calls(process, *_JOURNAL_VERBS)) - before <= 2 * beats + 2

    run(test)


def test_the_hidden_original_does_not_repair_what_its_copy_guards() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=1800)
        (name,) = await dead(hub, app, 1)
        second = hub.process(app.registry)
        await second.worker.tidy()
        await hub.clock.sleep(60)
        copies = await hide(hub)
        assert [copy.messages[0].recoveries for copy in copies] == [1]
        second.begin(*copies)
        await hub.clock.sleep(HIDDEN.total_seconds())
        third = hub.process(app.registry)
        for _ in range(5):
            await third.handle(*[each for each in await hide(hub) if not each.messages[0].recoveries])
            await hub.clock.sleep(31)
        assert app.runs == {name: 2}
        await hub.clock.sleep(1800)
        await hub.settle(third)
        assert await hub.output(name) == name
        assert app.runs == {name: 2}
        assert await hub.left() == []

    run(test)


def test_the_hidden_work_item_does_not_run_beside_its_copy() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=1800, placement="queue")
        process = hub.process(app.registry)
        (name,) = await start(process, 1)
        await process.handle(*await hide(hub))
        process.begin(*await hide(hub))
        await hub.clock.sleep(3)
        await process.kill()
        second = hub.process(app.registry)
        await second.worker.tidy()
        await hub.clock.sleep(60)
        second.begin(*await hide(hub))
        await hub.clock.sleep(HIDDEN.total_seconds())
        third = hub.process(app.registry)
        for _ in range(5):
            await third.handle(*[each for each in await hide(hub) if not each.messages[0].recoveries])
            await hub.clock.sleep(31)
        assert app.runs == {name: 2}
        await hub.clock.sleep(1800)
        await hub.settle_control(third)
        await hub.settle(third)
        assert await hub.output(name) == name
        assert app.runs == {name: 2}

    run(test)


def test_a_living_process_is_left_alone_whatever_its_clock_says() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=1000)
        clock = hub.clock
        for ahead in (timedelta(seconds=-20), timedelta(0), timedelta(seconds=20)):
            process = make_process(hub.store, app.registry, lambda ahead=ahead: clock() + ahead)
            await process.client.start("order", instance_id=f"ahead-{ahead.seconds}")
            process.begin(*await hide(hub))
        watcher = hub.process(app.registry)
        await hub.clock.sleep(2)
        for _ in range(9):
            await watcher.worker.tidy()
            await hub.clock.sleep(60)
        assert await hide(hub) == []
        assert len(await hub.store.journals()) == 3
        assert calls(watcher, "send", "write_journal", "delete_journal") == []
        await hub.clock.sleep(600)
        assert set(app.runs.values()) == {1}

    run(test)


def test_of_two_who_notice_one_sends() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        await dead(hub, app)
        watchers = [hub.process(app.registry) for _ in range(2)]
        await asyncio.gather(*[watcher.worker.tidy() for watcher in watchers])
        await hub.clock.sleep(120)
        starts = [each for each in await hide(hub) if each.messages[0].recoveries]
        assert len(starts) == 3

    run(test)


def test_who_recovers_may_die_of_it() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub)
        names = await dead(hub, app)

        def plan(verb: str, _number: int) -> Fault:
            return Fault.BEFORE if verb == "send" else Fault.NONE

        doomed = hub.process(app.registry, plan=plan)
        await doomed.worker.tidy()
        await hub.clock.sleep(60)
        assert calls(doomed, "write_journal"), "it took the journal over"
        await doomed.kill()
        hub.process(app.registry).start()
        await hub.clock.sleep(_ABOUT_A_MINUTE + 60)
        assert [await hub.status(name) for name in names] == [RuntimeStatus.COMPLETED] * 3

    run(test)


def test_a_process_that_stops_in_order_leaves_no_journal() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=3)
        process = hub.process(app.registry)
        await start(process, 1)
        process.begin(*await hide(hub))
        await hub.clock.sleep(2)
        assert len(await hub.store.journals()) == 1
        await process.stop()
        assert await hub.store.journals() == []

    run(test)


def test_a_process_at_rest_leaves_no_journal_and_makes_no_calls() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=3)
        process = hub.process(app.registry)
        await start(process, 1)
        await process.handle(*await hide(hub))
        await hub.clock.sleep(60)
        assert await hub.store.journals() == []
        before = len(process.provider.calls)
        await hub.clock.sleep(600)
        assert len(process.provider.calls) == before

    run(test)


def test_a_heartbeat_that_fails_is_made_up_for() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=100)
        failed: list[int] = []

        def plan(verb: str, number: int) -> Fault:
            if verb == "write_journal" and len(failed) < 3:
                failed.append(number)
                return Fault.BEFORE
            return Fault.NONE

        process = hub.process(app.registry, plan=plan)
        await start(process, 1)
        process.begin(*await hide(hub))
        await hub.clock.sleep(8)
        assert len(failed) == 3
        ((kept),) = await hub.store.journals()
        (message,) = kept.journal.messages
        assert isinstance(message.body, StartExecution)

    run(test)


def test_a_repeated_work_item_whose_outcome_is_known_does_not_run_again() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=0, placement="queue")
        process = hub.process(app.registry)
        (name,) = await start(process, 1)
        await process.handle(*await hide(hub))
        (work,) = await hide(hub)
        assert isinstance(work.messages[0].body, RunActivity)
        await process.worker.process(work)
        await hub.settle(process)
        assert await hub.output(name) == name
        await hub.clock.sleep(HIDDEN.total_seconds())
        (again,) = await hide(hub)
        assert again.dequeue_count == 2
        await process.handle(again)
        assert app.runs == {name: 1}
        assert await hub.left() == []

    run(test)


def test_a_repeated_work_item_whose_outcome_is_not_known_runs_again() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=0, placement="queue")
        process = hub.process(app.registry)
        (name,) = await start(process, 1)
        await process.handle(*await hide(hub))
        await hide(hub)
        await hub.clock.sleep(HIDDEN.total_seconds())
        await hub.settle(process)
        assert app.runs == {name: 1}
        assert await hub.output(name) == name

    run(test)


def test_a_start_whose_first_turn_was_the_last_thing_a_process_did() -> None:
    """Too short a while for the journal: the row is still Pending, history has begun."""

    async def test(hub: Hub) -> None:
        app = App(hub, seconds=0.2)
        process = hub.process(app.registry)
        (name,) = await start(process, 1)
        process.begin(*await hide(hub))
        await hub.clock.sleep(0.1)
        await process.kill()
        assert await hub.status(name) is RuntimeStatus.PENDING
        assert await hub.store.history(name)
        hub.process(app.registry).start()
        await hub.clock.sleep(_ABOUT_A_MINUTE + 5)
        assert await hub.output(name) == name

    run(test)


@pytest.mark.parametrize(("placement", "runs"), [("local", 10), ("queue", 7)])
def test_an_activity_that_kills_its_process_becomes_a_failed_task(placement: Placement, runs: int) -> None:
    """As one that eats all memory does. Where it ran beside its orchestration twice, it goes by queue, alone; there it
    runs twice as it is, and five times under a note. The start that was hidden for ten minutes runs it once more, if it
    comes before the task has failed."""

    async def test(hub: Hub) -> None:
        app = App(hub, placement=placement)
        first = hub.process(app.registry)
        await start(first, 1)
        if placement == "queue":
            await first.handle(*await hide(hub))
        janitor = hub.process(app.registry)
        deaths = 0
        while not (await hub.status("order-0")).is_terminal:
            deaths += 1
            assert deaths < 20
            process = hub.process(app.registry, most_attempts=5)
            process.begin(*await hide(hub))
            await hub.clock.sleep(3)
            await process.kill()
            await hub.clock.sleep(60)
            await janitor.worker.tidy()
        assert await hub.status("order-0") is RuntimeStatus.FAILED
        assert app.runs["order-0"] in (runs, runs - (placement == "local"))
        assert await hub.store.list_quarantined() == []

    run(test)


def test_a_beat_left_out_is_no_death() -> None:
    async def test(hub: Hub) -> None:
        app = App(hub, seconds=300)
        broken = (timedelta(seconds=20), timedelta(seconds=50))
        began = hub.clock()

        def plan(verb: str, _number: int) -> Fault:
            fails = verb == "write_journal" and broken[0] < hub.clock() - began < broken[1]
            return Fault.BEFORE if fails else Fault.NONE

        process = hub.process(app.registry, plan=plan)
        await start(process, 1)
        process.begin(*await hide(hub))
        await hub.clock.sleep(2)
        watcher = hub.process(app.registry)
        for _ in range(20):
            await watcher.worker.tidy()
            await hub.clock.sleep(5)
        assert calls(watcher, "send", "write_journal") == []

    run(test)
