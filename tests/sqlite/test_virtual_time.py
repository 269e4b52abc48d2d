"""Virtual time jumps, but only when nothing outside the loop can report."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from datetime import UTC, datetime, timedelta

import pytest

from durable_ext.testing.virtual_time import START, DeadlockError, VirtualClock, VirtualTimeLoop, run


def test_a_long_wait_takes_no_time() -> None:
    async def main(clock: VirtualClock) -> datetime:
        await clock.sleep(90 * 24 * 3600)
        return clock()

    before = time.monotonic()
    assert run(main) == START + timedelta(days=90)
    assert time.monotonic() - before < 5


def test_the_clock_begins_where_it_is_told() -> None:
    start = datetime(2024, 2, 29, 12, tzinfo=UTC)

    async def main(clock: VirtualClock) -> tuple[datetime, datetime]:
        first = clock()
        await clock.sleep(0.25)
        return first, clock()

    assert run(main, start=start) == (start, start + timedelta(milliseconds=250))


def test_timers_fire_in_order() -> None:
    seen: list[float] = []

    async def main(clock: VirtualClock) -> None:
        async def wait(seconds: float) -> None:
            await clock.sleep(seconds)
            seen.append(seconds)

        await asyncio.gather(*map(wait, (3600, 0.5, 86400 * 3, 7)))

    run(main)
    assert seen == [0.5, 7, 3600, 86400 * 3]


def test_a_wait_for_a_time_never_ends_short_of_it() -> None:
    async def main(clock: VirtualClock) -> None:
        for microseconds in range(1, 2_000_000, 33_333):
            due = clock() + timedelta(microseconds=microseconds)
            await clock.sleep((due - clock()).total_seconds())
            assert timedelta(0) <= clock() - due <= timedelta(microseconds=2)

    run(main)


@pytest.mark.timeout(20)
def test_timers_come_to_their_end_in_sixty_years_too() -> None:
    async def main(clock: VirtualClock) -> None:
        for days in (366, 20_000):
            due = clock() + timedelta(days=days)
            await clock.sleep((due - clock()).total_seconds())
            for _ in range(50):
                due += timedelta(seconds=7, microseconds=3)
                await clock.sleep((due - clock()).total_seconds())
                assert abs(clock() - due) <= timedelta(microseconds=1)
                due = clock()

    run(main)


def test_a_timeout_is_virtual() -> None:
    async def main(clock: VirtualClock) -> datetime:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3600):
                await asyncio.Event().wait()
        return clock()

    assert run(main) == START + timedelta(hours=1)


def test_a_thread_is_waited_for() -> None:
    """A timer of an hour does not come before a call that is outside."""
    release = threading.Event()

    async def main(clock: VirtualClock) -> tuple[datetime, bool]:
        timer = asyncio.create_task(clock.sleep(3600))
        call = asyncio.create_task(asyncio.to_thread(release.wait, 10))
        await asyncio.sleep(0)
        threading.Timer(0.05, release.set).start()
        await asyncio.wait({timer, call}, return_when=asyncio.FIRST_COMPLETED)
        timer.cancel()
        return clock(), call.done()

    assert run(main) == (START, True)


def test_a_deadlock_is_an_error() -> None:
    async def main(_clock: VirtualClock) -> None:
        await asyncio.create_task(asyncio.Event().wait(), name="the one that waits")

    with pytest.raises(DeadlockError, match="the one that waits"):
        run(main)


def test_time_passes_as_on_the_wall_while_a_socket_is_open() -> None:
    async def main(clock: VirtualClock) -> tuple[bytes, datetime]:
        loop = asyncio.get_running_loop()
        here, there = socket.socketpair()
        with here, there:
            here.setblocking(False)
            threading.Timer(0.05, there.send, (b"x",)).start()
            async with asyncio.timeout(3600):
                return await loop.sock_recv(here, 1), clock()

    data, _ = run(main)
    assert data == b"x"


def test_results_and_errors_come_out() -> None:
    async def fail(_clock: VirtualClock) -> None:
        raise ValueError("no")

    async def answer(_clock: VirtualClock) -> int:
        return 42

    with pytest.raises(ValueError, match="no"):
        run(fail)
    assert run(answer) == 42


def test_the_loop_is_virtual() -> None:
    async def main(_clock: VirtualClock) -> bool:
        return isinstance(asyncio.get_running_loop(), VirtualTimeLoop)

    assert run(main)
