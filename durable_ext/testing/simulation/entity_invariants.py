"""What must hold of entities when all is quiet: each was told everything once, in the order of each who told it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from durable_ext.providers.contract import Provider
from durable_ext.records.entity_events import EntityCalled, EntitySignaled, EntityUpdated
from durable_ext.records.events import ExecutionStarted
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow
from durable_ext.records.payloads import Payload
from durable_ext.records.turns import Turn, placed, sent_before
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

    @property
    def pruned(self) -> int:
        """How many executions came before those that are kept: the janitor takes them once no delivery is left."""
        first = self.executions[0][0] if self.executions else None
        started = None if first is None else first.events[0]
        is_later = isinstance(started, ExecutionStarted) and started.previous is not None
        return first.execution.generation if first is not None and is_later else 0


async def wrong_entities(provider: Provider, instances: Sequence[Instance], most: int = 1) -> list[str]:
    """All that is wrong with the entities among them. What was told them by those that are gone may be there `most`
    times: a call that had no answer before a rewind, or was made under a lock, is made again."""
    found: list[str] = []
    sent = Counter(said for one in instances for turns in one.executions for said in _said(turns))
    maybe: Counter[tuple[str, str]] = Counter()
    for one in instances:
        if one.pruned:
            maybe.update(dict.fromkeys(_known(one.executions[0]), one.pruned))
    told = {one.id: await _told(provider, one) for one in instances if is_entity(one.id)}
    for entity in instances:
        if entity.id in told:
            known = told[entity.id]
            asked = {token: (sent[to, token], maybe[to, token]) for to, token in sent | maybe if to == entity.id}
            wrong = [*still_locked(entity), *twice(known, asked, most), *interrupted(known)]
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


def twice(told: Sequence[str], sent: Mapping[str, tuple[int, int]], most: int = 1) -> Iterator[str]:
    """Everything was told as often as it was sent, and up to so many times more as executions that are gone may have
    sent it too; `most` times where nobody knows."""
    for token, count in Counter(told).items():
        least, more = sent.get(token, (0, most))
        if not least <= count <= least + more:
            yield f"it was told {token!r} {count} times"


def interrupted(told: Sequence[str]) -> Iterator[str]:
    """What is told under a lock stands together."""
    for place, token in enumerate(told):
        if not token.endswith(BEGINS) or token in told[place + 1 :]:
            continue  # after a rewind it is told under another lock
        end = token.removesuffix(BEGINS) + ENDS
        if end in told and told[place + 1] != end:
            yield f"{told[place + 1]!r} stands under the lock of {token!r}"


def untold(turns: Sequence[Turn], told: dict[str, list[str]]) -> Iterator[str]:
    """Each entity knows what an execution has told it, in that order."""
    wanted: dict[str, list[str]] = {}
    for entity_id, token in _said(turns):
        wanted.setdefault(entity_id, []).append(token)
    for entity_id, tokens in wanted.items():
        known = [token for token in told.get(entity_id, ()) if token in tokens]
        rest = iter(known)
        if not all(token in rest for token in tokens):
            yield f"it told {entity_id} {tokens}, which knows {known}"


def _said(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    """What an execution has told entities, and which; not what those before a rewind have."""
    for turn in turns:
        before = sent_before(turn)
        for place, event in placed(turn):
            if isinstance(event, EntityCalled | EntitySignaled) and event.input is not None and place not in before:
                yield event.entity_id, _token(event.input)


def _known(turns: Sequence[Turn]) -> Iterator[tuple[str, str]]:
    """The same, and what those before a rewind have told and the rewind has kept."""
    for turn in turns:
        for _, event in placed(turn):
            if isinstance(event, EntityCalled | EntitySignaled) and event.input is not None:
                yield event.entity_id, _token(event.input)


def _token(payload: Payload) -> str:
    return msgspec.json.decode(payload.data, type=str)


async def _told(provider: Provider, entity: Instance) -> list[str]:
    """Its state: all that it was told."""
    state = entity.row.input
    if state is None:
        return []
    data = state.data if state.blob is None else await provider.get_payload(state)
    return msgspec.json.decode(data, type=list[str])
