"""What the simulation looks at in children and copies: planted violations are noticed, a sound hub has none (T7)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.payloads import inline
from durable_ext.testing.simulation import invariants, world
from durable_ext.testing.simulation.case import Case
from durable_ext.testing.simulation.entity_invariants import Instance
from durable_ext.testing.simulation.family_invariants import wrong_families
from durable_ext.testing.simulation.invariants import Remains
from durable_ext.testing.simulation.world import play

from .samples import copied, family


def left_by(case: Case, monkeypatch: pytest.MonkeyPatch) -> Sequence[Instance]:
    """All that a case without faults leaves."""
    found: list[Instance] = []

    async def looks(remains: Remains) -> list[str]:
        found[:] = await invariants._instances(remains)  # pyright: ignore[reportPrivateUsage]
        return await invariants.wrong(remains)

    monkeypatch.setattr(world, "wrong", looks)
    assert play(case).wrong == ()
    return found


def _as_if(instances: Sequence[Instance], *, recursive: bool) -> list[Instance]:
    """The same, as if something else had been ordered."""
    (planned,) = family(recursive=recursive).load
    return [one if one.planned is None else msgspec.structs.replace(one, planned=planned) for one in instances]


def test_children_that_go_on_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    left = left_by(family(recursive=False), monkeypatch)
    assert [one.row.status for one in left].count(RuntimeStatus.COMPLETED) == 2
    (wrong,) = wrong_families(_as_if(left, recursive=True))
    assert "it went on although parent was terminated" in wrong


def test_children_that_do_not_go_on_are_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    left = left_by(family(recursive=True), monkeypatch)
    assert {one.row.status for one in left} == {RuntimeStatus.TERMINATED}
    assert len(left) == 3
    (wrong,) = wrong_families(_as_if(left, recursive=False))
    assert "its parent parent was to be alone" in wrong


def test_a_copy_must_come_to_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    left = left_by(copied("copy"), monkeypatch)
    assert len(left) == 2
    assert len({one.id for one in left}) == 2
    assert all(one.planned is not None and one.row.status is RuntimeStatus.COMPLETED for one in left)


def test_what_is_restarted_is_another_execution(monkeypatch: pytest.MonkeyPatch) -> None:
    (left,) = left_by(copied("restart"), monkeypatch)
    assert [turns[0].execution.generation for turns in left.executions] == [0, 1]
    assert left.row.output == inline(b'["v"]')
