"""What the simulation looks at in entities: each check notices a planted violation, and none a sound hub (T7)."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from durable_ext.records.entity_events import EntityUpdated
from durable_ext.testing.simulation import world
from durable_ext.testing.simulation.entity_invariants import Instance, interrupted, still_locked, twice, untold
from durable_ext.testing.simulation.invariants import Remains
from durable_ext.testing.simulation.world import play

from .samples import locking


def instances_of(monkeypatch: pytest.MonkeyPatch) -> dict[str, Instance]:
    """All that a case without faults leaves."""
    from durable_ext.testing.simulation import invariants

    found: dict[str, Instance] = {}

    async def looks(remains: Remains) -> list[str]:
        found.update({one.id: one for one in await invariants._instances(remains)})  # pyright: ignore[reportPrivateUsage]
        return await invariants.wrong(remains)

    monkeypatch.setattr(world, "wrong", looks)
    assert play(locking()).wrong == ()
    return found


def told_of(entity: Instance) -> list[str]:
    assert entity.row.input is not None
    return msgspec.json.decode(entity.row.input.data, type=list[str])


def test_each_check_notices_what_is_planted(monkeypatch: pytest.MonkeyPatch) -> None:
    found = instances_of(monkeypatch)
    told: dict[str, Any] = {name: told_of(one) for name, one in found.items() if name.startswith("@")}
    history = found["one"].executions[-1]
    assert sorted(len(tokens) for tokens in told.values()) == [6, 8]
    assert list(untold(history, told)) == []
    entity = found["@log@a"]
    tokens = told["@log@a"]
    sent = dict.fromkeys(tokens, (1, 0))
    assert [*still_locked(entity), *twice(tokens, sent), *interrupted(tokens)] == []

    lost = {**told, "@log@a": tokens[1:]}
    both = [*untold(history, lost), *untold(found["two"].executions[-1], lost)]
    assert len(both) == 1, "a signal is lost"
    backwards = {**told, "@log@a": tokens[::-1]}
    assert len(list(untold(history, backwards))) == 1, "the order of a sender is another one"
    assert "2 times" in " ".join(twice([*tokens, tokens[0]], sent))
    assert "1 times" in " ".join(twice(tokens, sent | {tokens[0]: (2, 0)})), "what a rewind asks again is told again"
    pruned = {tokens[0]: (1, 1)}
    assert list(twice([tokens[0]] * 2, pruned)) == [], "an execution that is gone may have told it under a lock"
    assert list(twice([tokens[0]] * 3, pruned)) != []
    assert list(twice([tokens[0]] * 2, {}, 2)) == [], "nobody is left who knows"
    assert list(twice([tokens[0]] * 3, {}, 2)) != []
    begins = next(place for place, token in enumerate(tokens) if token.endswith("<"))
    assert list(interrupted([*tokens[: begins + 1], "somebody", *tokens[begins + 1 :]])) != []

    turn = entity.executions[-1][-1]
    locked = EntityUpdated(unchanged=True, waiting=2, lock="l", locked_by="one")
    kept = msgspec.structs.replace(turn, events=(*turn.events, locked))
    planted = msgspec.structs.replace(entity, executions=((*entity.executions[-1][:-1], kept),))
    assert list(still_locked(planted)) == ["it is locked by one", "2 wait for it"]
