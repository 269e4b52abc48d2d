"""What activities were called with, in which order and when, and assertions about it with messages that tell all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any, overload

import msgspec


class ActivityCall(msgspec.Struct, frozen=True, kw_only=True):
    """One run of an activity, or one start of a mocked child orchestration.

    `input` is what the function got; None for one that takes nothing. `attempt` counts deliveries of the same call,
    from 1: another attempt of a retry policy is another call, with another `task_id`. `time` is virtual, aware UTC;
    `order` counts from 0.
    """

    name: str
    input: Any
    attempt: int
    time: datetime
    order: int
    instance_id: str
    execution_id: str
    task_id: int

    def __str__(self) -> str:
        again = f", attempt {self.attempt}" if self.attempt > 1 else ""
        return f"{self.name}({self.input!r}) by {self.instance_id} at {self.time.isoformat()}{again}"


class Calls(Sequence[ActivityCall]):
    """All calls so far, in order."""

    def __init__(self, name_of: Callable[[Any], str]) -> None:
        self._name_of = name_of
        self._calls: list[ActivityCall] = []

    @overload
    def __getitem__(self, index: int) -> ActivityCall: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ActivityCall]: ...
    def __getitem__(self, index: int | slice) -> ActivityCall | Sequence[ActivityCall]:
        return self._calls[index]

    def __len__(self) -> int:
        return len(self._calls)

    def __iter__(self) -> Iterator[ActivityCall]:
        return iter(self._calls)

    def __str__(self) -> str:
        return "\n".join(f"    {call.order}: {call}" for call in self._calls) or "    none"

    def add(self, call: ActivityCall) -> None:
        """Note a call."""
        self._calls.append(call)

    def clear(self) -> None:
        """Forget the calls so far."""
        self._calls.clear()

    def of(self, activity: Callable[..., Any] | str) -> list[ActivityCall]:
        """The calls of one activity, by function or name."""
        name = self._name_of(activity)
        return [call for call in self._calls if call.name == name]

    def inputs(self, activity: Callable[..., Any] | str) -> list[Any]:
        """What one activity was called with, in order."""
        return [call.input for call in self.of(activity)]

    def assert_called(self, activity: Callable[..., Any] | str, *with_input: Any, times: int | None = None) -> None:
        """Raise AssertionError unless the activity was called, with this input when one is given, so often when told.

        assert_called(charge), assert_called(charge, Order("A-1")), assert_called(charge, times=2).
        """
        found = self.of(activity)
        if with_input:
            found = [call for call in found if call.input == with_input[0]]
        if (times is None and found) or (times is not None and len(found) == times):
            return
        wanted = "at all" if times is None else _times(times)
        what = f" with {with_input[0]!r}" if with_input else ""
        raise AssertionError(
            f"{self._name_of(activity)} was called {_times(len(found))}{what}, not {wanted}; calls:\n{self}"
        )

    def assert_not_called(self, activity: Callable[..., Any] | str) -> None:
        """Raise AssertionError when the activity was called."""
        self.assert_called(activity, times=0)

    def assert_order(self, *activities: Callable[..., Any] | str) -> None:
        """Raise AssertionError unless exactly these were called, in this order."""
        wanted = [self._name_of(activity) for activity in activities]
        found = [call.name for call in self._calls]
        if found != wanted:
            raise AssertionError(f"called were {found}, not {wanted}; calls:\n{self}")


def _times(count: int) -> str:
    return {0: "never", 1: "once"}.get(count, f"{count} times")
