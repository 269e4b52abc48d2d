"""The scenarios around entities: calls, signals, locks, failures, signals for later (T3)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing.scenario import Scenario
from durable_ext.worker.client import Client

from . import entity_orchestrations
from .engine import pause
from .entity_orchestrations import COUNTER

_ID = "it"
_scenario = partial(Scenario, registry=entity_orchestrations.registry(), instance_id=_ID)


async def _terminate_the_holder(client: Client) -> None:
    """Whoever holds a lock ends; another gets it."""
    await pause(30)
    await client.terminate(_ID, "enough")
    await client.start("calls", 1, instance_id="other")
    done = await client.wait_for_completion("other", timedelta(minutes=20))
    assert done.output == 2, done.output


async def _signal_twice_with_one_key(client: Client) -> None:
    for _ in range(2):
        await client.signal_entity(COUNTER, "add", 4, message_id="once")
    while (found := await client.read_entity(COUNTER, int)) is None or not found.exists:
        await pause(1)


ENTITIES: dict[str, Scenario] = {
    "entity called": _scenario(orchestrator="calls", input=3, expect=6),
    "entity of a generator": _scenario(orchestrator="generator_calls", expect=7),
    "entity signalled": _scenario(orchestrator="signals", input=4, expect=4),
    "signals in order": _scenario(orchestrator="in_order", input=6, expect=list("012345")),
    "signals from outside": _scenario(orchestrator="calls", input=1, first=_signal_twice_with_one_key, expect=6),
    "entities locked": _scenario(orchestrator="transfer", input=5, expect=[0, 5]),
    "entities wanted by several": _scenario(orchestrator="transfers", input=3, expect=9),
    "a lock nobody waits for any more": _scenario(orchestrator="impatient_lock", input="holder", expect=7),
    "the holder of a lock terminated": _scenario(
        orchestrator="holding",
        input=3600,
        then=_terminate_the_holder,
        status=RuntimeStatus.TERMINATED,
        expect="enough",
    ),
    "an operation that fails": _scenario(orchestrator="failing", expect=["no such luck", 3, []]),
    "an entity that tells others": _scenario(orchestrator="telling", expect=["hello", ["hello"]]),
    "an entity that tells others behind a call": _scenario(
        orchestrator="telling_behind_a_call", expect=[["first", "second", "third"], ["third"]]
    ),
    "signals for later": _scenario(orchestrator="later", expect=[[], ["at ten", "at twenty"]]),
    "an entity with several executions": _scenario(orchestrator="hoarding", input=30_000, expect=12),
    "state deleted": _scenario(orchestrator="dropping", expect=[0]),
}
