"""asyncio keeps all tasks of a process in one set; those of orchestrations have the same numbers in each of them."""

from __future__ import annotations

import pytest

from durable_ext.replay import loop as loops
from durable_ext.replay.loop import OrchestratorLoop


async def _nothing() -> None:
    pass


def test_a_new_task_is_not_compared_with_those_of_other_orchestrations(monkeypatch: pytest.MonkeyPatch) -> None:
    compared = 0

    def counted(self: object, other: object) -> bool:
        nonlocal compared
        compared += 1
        return self is other

    monkeypatch.setattr(loops._NumberedTask, "__eq__", counted)  # pyright: ignore[reportPrivateUsage]
    made = [OrchestratorLoop(lambda _: 0, lambda _: None) for _ in range(50)]
    waiting = [_nothing() for _ in made]
    tasks = [loop.create_task(one) for loop, one in zip(made, waiting, strict=True)]
    for one in waiting:
        one.close()
    assert compared == 0
    assert {hash(task) for task in tasks} == {1}, "in the sets of the code it has its number"
