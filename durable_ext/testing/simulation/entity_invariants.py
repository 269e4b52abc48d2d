"""What must hold of entities when all is quiet: each was told everything once, in the order of each who told it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

import msgspec

from durable_ext.providers.contract import Provider
from durable_ext.records.entity_events import EntityCalled, EntitySignaled, EntityUpdated
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow
from durable_ext.records.turns import Turn
from durable_ext.testing.simulation.case import Planned
from durable_ext.testing.simulation.programme import BEGINS, ENDS


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """A row, and the turns of all kept executions, the oldest first. `planned` None: a child, or an entity."""

    row: InstanceRow
    executions: tuple[tuple[Turn, ...], ...]
    planned: Planned | None

    @property
    def id(self) -> str:
        """Its id."""
        return self.row.instance_id


async def wrong_entities(provider: Provider, instances: Sequence[Instance]) -> list[str]:
    """All that is wrong with the entities among them."""
    found: list[str] = []
    told = {one.id: await _told(provider, one) for one in instances if is_entity(one.id)}
    for entity in instances:
        if entity.id in told:
            wrong = [*still_locked(entity), *twice(told[entity.id]), *interrupted(told[entity.id])]
            found += [f"{entity.id}: {text}" for text in wrong]
    for instance in instances:
        for turns in instance.executions:
            found += [f"{instance.id}: {text}" for text in untold(turns, told)]
    return found


def still_locked(entity: Instance) -> Iterator[str]:
    """Nobody holds it, and nobody waits for it."""
    updated = [event for turn in entity.executions[-1] for event in turn.events if isinstance(event, EntityUpdated)]
    if updated and updated[-1].lock:
        yield f"it is locked by {updated[-1].locked_by}"
    if updated and updated[-1].waiting:
        yield f"{updated[-1].waiting} wait for it"


def twice(told: Sequence[str]) -> Iterator[str]:
    """Nothing was told twice."""
    yield from (f"it was told {token!r} {count} times" for token, count in Counter(told).items() if count > 1)


def interrupted(told: Sequence[str]) -> Iterator[str]:
    """What is told under a lock stands together."""
    for place, token in enumerate(told):
        if not token.endswith(BEGINS):
            continue
        end = token.removesuffix(BEGINS) + ENDS
        if end in told and told[place + 1] != end:
            yield f"{told[place + 1]!r} stands under the lock of {token!r}"


def untold(turns: Sequence[Turn], told: dict[str, list[str]]) -> Iterator[str]:
    """Each entity knows what an execution has told it, in that order."""
    wanted: dict[str, list[str]] = {}
    for turn in turns:
        for event in turn.events:
            if isinstance(event, EntityCalled | EntitySignaled) and event.input is not None:
                token = msgspec.json.decode(event.input.data, type=str)
                wanted.setdefault(event.entity_id, []).append(token)
    for entity_id, tokens in wanted.items():
        known = [token for token in told.get(entity_id, ()) if token in tokens]
        if known != tokens:
            yield f"it told {entity_id} {tokens}, which knows {known}"


async def _told(provider: Provider, entity: Instance) -> list[str]:
    """Its state: all that it was told."""
    state = entity.row.input
    if state is None:
        return []
    data = state.data if state.blob is None else await provider.get_payload(state)
    return msgspec.json.decode(data, type=list[str])
