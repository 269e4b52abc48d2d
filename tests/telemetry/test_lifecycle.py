"""Life-cycle events: behind the commit, in the background, with ids that a subscriber can rely on."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from durable_ext import DFApp
from durable_ext.authoring.lifecycle import LifecycleEvent
from durable_ext.errors import HttpRequestError
from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing import virtual_time
from durable_ext.testing.virtual_time import VirtualClock
from durable_ext.worker import lifecycle
from durable_ext.worker.lifecycle import Lifecycle, Notices
from durable_ext.worker.settings import WorkerSettings
from tests.replay.events import completed, started
from tests.scenarios.hub import Gate, failing
from tests.scenarios.two_stores import AnyHub, on_both, run_on

from .hearing import Ears, app, rest

NO_GRACE = timedelta(0)


class Post:
    """A publisher that keeps what it gets; `fails` are the errors of its next calls."""

    def __init__(self, *fails: Exception | None) -> None:
        self.got: list[LifecycleEvent] = []
        self.calls = 0
        self.gate: Gate | None = None
        self._fails = list(fails)

    async def publish(self, events: Sequence[LifecycleEvent]) -> None:
        self.calls += 1
        if self.gate is not None:
            await self.gate.wait()
        error = self._fails.pop(0) if self._fails else None
        if error is not None:
            raise error
        self.got += events

    def of(self, instance_id: str) -> list[tuple[str, str, str]]:
        """Status, name and reason of the events of an instance."""
        return [(one.status.value, one.name, one.reason) for one in self.got if one.instance_id == instance_id]


def settings(post: Post, *, sessions: bool = True, **more: Any) -> WorkerSettings:
    chosen = Lifecycle(publisher=post, hub="Shop", **more)
    return WorkerSettings(lifecycle=chosen, sessions=sessions, activity_slots=8)


@on_both
@pytest.mark.parametrize("sessions", [True, False])
def test_beginnings_and_ends_are_published(store: str, sessions: bool) -> None:
    async def test(hub: AnyHub) -> None:
        post = Post()
        process = hub.process(app(Ears()), settings=settings(post, sessions=sessions), doubled=True)
        for name, value in (("everything", 4), ("rounds", 2), ("unlucky", None)):
            await process.client.start(name, value, instance_id=name)
        await process.client.start("beside", instance_id="ended early")
        await hub.settle(process)
        await process.client.terminate("ended early", "enough")
        await rest(hub, process)
        assert post.of("everything") == [("Running", "everything", ""), ("Completed", "everything", "")]
        assert post.of("rounds") == [("Running", "rounds", ""), ("Completed", "rounds", "")], "once for all its rounds"
        assert post.of("unlucky") == [("Running", "unlucky", ""), ("Failed", "unlucky", "LookupError: nothing there")]
        assert post.of("ended early") == [("Running", "beside", ""), ("Terminated", "beside", "enough")]
        assert post.of("beside") == [("Running", "beside", ""), ("Completed", "beside", "")]
        assert {one.hub for one in post.got} == {"Shop"}
        assert not [one for one in post.got if one.instance_id.startswith("@")], "entities have no life cycle"
        assert len({one.id for one in post.got}) == len(post.got)
        last = (await hub.store.history("everything"))[-1]
        assert post.got[[one.instance_id for one in post.got].index("everything", 2)].time <= last.time

    run_on(store, test)


@on_both
def test_a_crash_between_commit_and_post(store: str) -> None:
    """The end is in history and nobody was told: when its message comes back it is published, under the same id."""

    async def test(hub: AnyHub) -> None:
        lost, post = Post(), Post()
        lost.gate = Gate()  # posts nothing before the process dies
        first = hub.process(app(Ears()), settings=settings(lost))
        await first.client.start("rounds", 0, instance_id="x")
        (start,) = await hub.take()
        dying = asyncio.ensure_future(first.worker.process(start))
        await hub.until(lambda: lost.calls > 0)
        await hub.clock.sleep(1)
        await first.kill()
        dying.cancel()
        await asyncio.wait([dying])
        assert lost.got == []
        assert await hub.status("x") is RuntimeStatus.COMPLETED
        await hub.leases_run_out()
        await rest(hub, hub.process(app(Ears()), settings=settings(post)))
        assert post.of("x") == [("Running", "rounds", ""), ("Completed", "rounds", "")]
        again = Post()
        await _replayed(hub, again)
        assert [one.id for one in again.got] == [one.id for one in post.got]

    run_on(store, test)


async def _replayed(hub: AnyHub, post: Post) -> None:
    """What another process would publish for this history."""
    notices = Notices(Lifecycle(publisher=post))
    for turn in await hub.store.history("x"):
        notices.committed(turn, "rounds")
    await notices.close(timedelta(seconds=5))


@on_both
def test_a_turn_that_was_not_committed_is_not_told(store: str) -> None:
    async def test(hub: AnyHub) -> None:
        post = Post()
        first = hub.process(app(Ears()), plan=failing("append"), settings=settings(post))
        await first.client.start("rounds", 0, instance_id="x")
        await first.handle(*await hub.take())
        await first.kill()
        assert post.got == []

    run_on(store, test)


def test_no_turn_waits_for_the_publisher() -> None:
    async def test(hub: AnyHub) -> None:
        post = Post()
        post.gate = Gate()
        process = hub.process(app(Ears()), settings=settings(post))
        await process.client.start("rounds", 2, instance_id="x")
        await hub.settle(process)
        assert await hub.status("x") is RuntimeStatus.COMPLETED
        assert (post.calls, post.got) == (1, [])
        post.gate.open()
        await process.worker.drain(timedelta(seconds=5))
        assert post.of("x") == [("Running", "rounds", ""), ("Completed", "rounds", "")]

    run_on("sqlite", test)


def notices_of(post: Post, **more: Any) -> Notices:
    return Notices(Lifecycle(publisher=post, **more))


def begin(notices: Notices, number: int = 0) -> None:
    """One more orchestration has begun and ended."""
    notices.committed(turn_of(number), "main")


def turn_of(number: int) -> Any:
    from durable_ext.records.instance import Execution
    from durable_ext.records.turns import Turn
    from tests.replay.events import NOON

    return Turn(
        execution=Execution(instance_id=f"i{number}", execution_id=f"e{number}"),
        number=0,
        events=(started(), completed("done")),
        message_ids=("m",),
        trigger_id="m",
        time=NOON,
        commit_id="p-0",
    )


def on_virtual_time(test: Any) -> None:
    async def main(clock: VirtualClock) -> None:
        await test(clock)

    virtual_time.run(main)


def test_a_failure_is_tried_again_so_many_times(caplog: pytest.LogCaptureFixture) -> None:
    async def test(clock: VirtualClock) -> None:
        post = Post(OSError("no network"), OSError("no network"))
        notices = notices_of(post, retries=2, retry_interval=timedelta(seconds=60))
        begin(notices)
        await clock.sleep(119)
        assert (post.calls, len(post.got)) == (2, 0)
        await clock.sleep(2)
        assert (post.calls, len(post.got)) == (3, 2)

    on_virtual_time(test)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


@pytest.mark.parametrize(
    ("error", "calls"), [(OSError("no network"), 3), (HttpRequestError("the topic answered 401", retryable=False), 1)]
)
def test_what_cannot_be_published_is_said_and_dropped(
    caplog: pytest.LogCaptureFixture, error: Exception, calls: int
) -> None:
    async def test(clock: VirtualClock) -> None:
        post = Post(*[error] * calls)
        notices = notices_of(post, retries=2, retry_interval=timedelta(seconds=60))
        begin(notices)
        await clock.sleep(130)
        begin(notices, 1)
        await clock.sleep(1)
        assert (post.calls, [one.instance_id for one in post.got]) == (calls + 1, ["i1", "i1"])

    on_virtual_time(test)
    assert "2 life-cycle events are not published" in caplog.text


def test_those_behind_do_not_wait_for_a_retry() -> None:
    async def test(clock: VirtualClock) -> None:
        post = Post(OSError("no network"))
        notices = notices_of(post, retries=1, retry_interval=timedelta(minutes=5))
        begin(notices)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        begin(notices, 1)
        for _ in range(5):
            await asyncio.sleep(0)
        assert [one.instance_id for one in post.got] == ["i1", "i1"]
        await clock.sleep(301)
        assert [one.instance_id for one in post.got] == ["i1", "i1", "i0", "i0"]

    on_virtual_time(test)


def test_what_waits_has_a_bound(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    async def test(clock: VirtualClock) -> None:
        post = Post()
        post.gate = Gate()
        notices = notices_of(post)
        for number in range(10):
            begin(notices, number)
        post.gate.open()
        await notices.close(timedelta(seconds=5))
        assert len(post.got) == 6

    monkeypatch.setattr(lifecycle, "_MOST_WAITING", 6)
    on_virtual_time(test)
    assert "6 life-cycle events wait to be published; what follows is dropped" in caplog.text
    assert "14 life-cycle events were dropped" in caplog.text


def test_closing_has_a_bound(caplog: pytest.LogCaptureFixture) -> None:
    async def test(clock: VirtualClock) -> None:
        post = Post()
        post.gate = Gate()
        notices = notices_of(post)
        begin(notices)
        await asyncio.sleep(0)
        await notices.close(NO_GRACE)
        assert post.got == []

    on_virtual_time(test)
    assert "2 life-cycle events were not published before the end" in caplog.text


def test_what_was_told_here_is_not_told_again() -> None:
    """A message that comes back although nobody died finds its turn committed, and told."""

    async def test(clock: VirtualClock) -> None:
        post = Post()
        notices = notices_of(post)
        begin(notices)
        notices.committed_again([turn_of(0)], "m", "main")
        notices.committed_again([turn_of(1)], "another", "main")
        await notices.close(timedelta(seconds=5))
        assert [(one.instance_id, one.status.value) for one in post.got] == [("i0", "Running"), ("i0", "Completed")]

    on_virtual_time(test)


@pytest.mark.parametrize("failures", [1, 2])
def test_the_end_cuts_the_pause_short(failures: int) -> None:
    """One more attempt at once: a worker that drains does not wait for five minutes, nor for ever."""

    async def test(clock: VirtualClock) -> None:
        post = Post(*[OSError("no network")] * failures)
        notices = notices_of(post, retries=5)
        begin(notices)
        await clock.sleep(1)
        began = clock()
        await notices.close(timedelta(minutes=10))
        assert (post.calls, len(post.got)) == (2, 2 if failures == 1 else 0)
        assert clock() - began < timedelta(seconds=1)

    on_virtual_time(test)


def test_only_what_is_asked_for() -> None:
    async def test(clock: VirtualClock) -> None:
        post = Post()
        notices = notices_of(post, statuses=frozenset({RuntimeStatus.COMPLETED}))
        begin(notices)
        await notices.close(timedelta(seconds=5))
        assert [one.status for one in post.got] == [RuntimeStatus.COMPLETED]

    on_virtual_time(test)


def test_a_publisher_that_hangs_is_given_up() -> None:
    async def test(clock: VirtualClock) -> None:
        post = Post()
        post.gate = Gate()
        notices = notices_of(post)
        begin(notices)
        await notices.close(timedelta(minutes=5))
        assert asyncio.get_running_loop().time() < 60
        assert post.calls == 1

    on_virtual_time(test)


def test_by_default_nobody_is_told() -> None:
    assert WorkerSettings().lifecycle is None
    Notices(None).committed(turn_of(0), "main")  # would need a loop otherwise


def test_the_app_gives_its_own_publisher(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DURABLE_HUB", "Shop")
    monkeypatch.setenv("DURABLE_LIFECYCLE_EVENTS", "started, Failed")
    monkeypatch.setenv("DURABLE_LIFECYCLE_RETRIES", "3")
    post = Post()
    chosen = DFApp(lifecycle=post).engine.worker_settings.lifecycle
    assert chosen == Lifecycle(
        publisher=post, hub="Shop", statuses=frozenset({RuntimeStatus.RUNNING, RuntimeStatus.FAILED}), retries=3
    )
    assert DFApp().engine.worker_settings.lifecycle is None
