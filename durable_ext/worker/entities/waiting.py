"""Code on the worker's own event loop that hands over to others without waiting for anything, for ever, is ended.

It hangs nobody else, but it costs a processor, and its entity takes no other operation meanwhile.
"""

from __future__ import annotations

from collections.abc import Awaitable, Generator
from typing import Any

from durable_ext.authoring.closing import Knife, close, endless
from durable_ext.authoring.places import waiting_place
from durable_ext.records.limits import MAX_CALLBACKS


class Waiting:
    """Await it for what it is made of. Raises EndlessTurnError when that has handed over too often in a row."""

    def __init__(self, work: Awaitable[Any]) -> None:
        self._work = work

    def __await__(self) -> Generator[Any, Any, Any]:
        running: Any = self._work.__await__()
        answer: Any = None
        error: BaseException | None = None
        handed_over = 0
        while handed_over < MAX_CALLBACKS:
            try:
                asked = running.send(answer) if error is None else running.throw(error)
            except StopIteration as stop:
                return stop.value
            # asyncio.sleep(0) yields None, whoever waits yields a future.
            handed_over = handed_over + 1 if asked is None else 0
            answer, error = None, None
            try:
                answer = yield asked
            except GeneratorExit:
                running.close()
                raise
            except BaseException as thrown:  # noqa: BLE001 - the code's own to deal with
                error = thrown
        place = waiting_place(self._work)
        knife = Knife()
        close(self._work, knife)
        knife.put_away()
        raise endless(place, f"has handed over to others {MAX_CALLBACKS:,} times in a row without waiting")
