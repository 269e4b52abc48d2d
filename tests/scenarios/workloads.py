"""The scenarios of the suite: every kind of decision and of command, each with a known end (T3)."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from unittest.mock import ANY

from durable_ext.records.instance import RuntimeStatus
from durable_ext.records.versions import VersionMatch
from durable_ext.testing.scenario import Played, Scenario, Sent
from durable_ext.worker.client import Client, StartOptions

from . import orchestrations, rewinding, versioned
from .deployments import DEPLOYMENTS
from .engine import pause
from .entity_workloads import ENTITIES
from .tools_workloads import TOOLS

_ID = "it"
_LONG = timedelta(minutes=20)
_APART = timedelta(minutes=3)
_TICKS: tuple[Sent, ...] = tuple(("tick", letter) for letter in "abc")
_LONG_TICKS: tuple[Sent, ...] = (("tick", "a" * 20_000), ("tick", "b" * 40_000), ("tick", "c" * 20_000))


async def _beside(client: Client) -> None:
    await client.start("approval", instance_id="beside")


async def _is_heard_beside(client: Client) -> None:
    status = await client.wait_for_completion("beside", _LONG)
    assert status.output == "heard"


async def _hears_beside(client: Client) -> None:
    await client.start("hears", 3, instance_id="beside")


async def _heard_all_beside(client: Client) -> None:
    status = await client.wait_for_completion("beside", _LONG)
    assert status.output == [0, 1, 2]


async def _hold(client: Client) -> None:
    await client.start("holding", instance_id="held")
    await client.wait_for_start("held", _LONG)


async def _other_end(client: Client) -> None:
    await client.start("pong", instance_id="other")


async def _suspend_and_resume(client: Client) -> None:
    await pause(2)
    await client.suspend(_ID, "lunch")
    # The message may come late, and the event would be there first.
    await client.wait_until(_ID, lambda row: row.status is RuntimeStatus.SUSPENDED, _LONG)
    await client.raise_event(_ID, "more", 10)
    await pause(200)
    await client.resume(_ID)


async def _terminate(client: Client) -> None:
    await pause(3)
    await client.terminate(_ID, "enough", output={"left": 2})


async def _purge(client: Client) -> None:
    status = await client.wait_for_completion(_ID, _LONG)
    assert status.output == 3
    assert await client.purge(_ID)


async def _purge_family(client: Client) -> None:
    """The instance with its children, and its id begins again."""
    await client.wait_for_completion(_ID, _LONG)
    await client.purge(_ID, recursive=True)
    await client.start("approval", instance_id=_ID)
    await client.raise_event(_ID, "approval", "again")


async def _purge_by_force(client: Client) -> None:
    await pause(3)
    assert await client.purge(_ID, force=True)
    # A child that never comes is waited for so long by its termination.
    await pause(600)


async def _restart(client: Client) -> None:
    status = await client.wait_for_completion(_ID, _LONG)
    assert status.output == 3
    await client.restart(_ID, new_instance_id=False)


async def _start_anew(client: Client) -> None:
    """Another orchestration under the id of the one that is over."""
    await client.wait_for_completion(_ID, _LONG)
    await client.start("approval", instance_id=_ID, options=StartOptions(tags={"round": "second"}))
    await client.raise_event(_ID, "approval", "again")


async def _start_greeted(client: Client) -> None:
    await client.wait_for_completion(_ID, _LONG)
    await client.start("greeted", instance_id=_ID, options=StartOptions(first_event=("hello", "first")))


async def _replace(client: Client) -> None:
    """Another orchestration under the id of one that runs."""
    await client.wait_for_start(_ID, _LONG)
    await client.start("chain", 0, instance_id=_ID, options=StartOptions(replace=frozenset(RuntimeStatus)))


async def _rewind(client: Client) -> None:
    status = await client.wait_for_completion(_ID, _LONG)
    assert status.runtime_status is RuntimeStatus.FAILED
    rewinding.outside.broken.clear()
    await client.rewind(_ID, "mended")
    await client.wait_for_completion(_ID, _LONG)


def _told_honestly(played: Played) -> None:
    assert played.status is not None
    assert str(played.status.output).rpartition(".")[2] in {"1", "ActivityOutcomeUnknownError"}


def _refused_or_run(played: Played) -> None:
    assert played.status is not None
    assert (played.status.output == "refused") == (played.runs["add_one"] == 0)


def _counted_on(played: Played) -> None:
    """The custom status was set once in each of three executions."""
    assert played.status is not None
    assert played.status.custom_status_version == 3


_scenario = partial(Scenario, registry=orchestrations.registry(), instance_id=_ID)
_rewound = partial(
    Scenario,
    registry=rewinding.registry(),
    instance_id=_ID,
    fresh=partial(rewinding.outside.breaks, "b"),
    then=_rewind,
)

SCENARIOS: dict[str, Scenario] = (
    {
        "chain": _scenario(orchestrator="chain", input=0, expect=3),
        "races": _scenario(orchestrator="racing", input=0, expect=[True, [1, 2], True, True]),
        "fan-out": _scenario(orchestrator="fan_out", input=6, expect=21),
        "fan-out past the slots": _scenario(orchestrator="fan_out", input=24, expect=300),
        "by queue": _scenario(orchestrator="in_queue", input=1, expect=2),
        "retries": _scenario(orchestrator="retries", input=1, expect="no 1"),
        "children": _scenario(orchestrator="parent", input=2, expect=[3, 4]),
        "children of one id": _scenario(orchestrator="twins", expect=["approval failed", "late"]),
        "child refused": _scenario(orchestrator="wants_held", first=_hold, expect=ANY, check=_refused_or_run),
        "child with retries": _scenario(
            orchestrator="stubborn", input=1, expect="TaskFailedError: refuse failed: ValueError: no 1"
        ),
        "at most once": _scenario(orchestrator="paying", input=0, expect=2),
        "at most once, outcome unknown": _scenario(orchestrator="daring", input=0, expect=ANY, check=_told_honestly),
        "caught by type": _scenario(orchestrator="catching", input="a", expect=["a", "a"]),
        "few at once": _scenario(orchestrator="few_at_once", input=5, expect=10),
        "heartbeats": _scenario(orchestrator="counting", input=4, expect=8),
        "values": _scenario(
            orchestrator="keeping", input=3, expect={"count": 3, "round 2": 2, "own": 3}, check=_counted_on
        ),
        "session of activities": _scenario(orchestrator="in_a_session", input=0, expect=6),
        "given up": _scenario(orchestrator="impatient", input=0, expect="1"),
        "a request elsewhere": _scenario(orchestrator="asking_elsewhere", expect="https://a.example/operations/1"),
        "approval": _scenario(orchestrator="approval", events=(("approval", "yes"),), expect="yes"),
        "timeout": _scenario(orchestrator="approval", expect="late"),
        "eternal": _scenario(orchestrator="eternal", input=[], events=_TICKS, expect=["a", "b", "c"]),
        "events in order": _scenario(
            orchestrator="in_order",
            input=3,
            events=tuple(("tick", letter, _APART) for letter in "abc"),
            expect=["a", "b", "c"],
        ),
        "event to another": _scenario(orchestrator="talker", input="beside", first=_beside, expect="sent"),
        "child that tells and goes on": _scenario(
            orchestrator="has_one_that_goes_on",
            input="beside",
            first=_hears_beside,
            then=_heard_all_beside,
            expect="told",
        ),
        "event passed on": _scenario(
            orchestrator="passing_on",
            input="beside",
            first=_beside,
            events=(("news", "heard"),),
            then=_is_heard_beside,
            expect=5,
        ),
        "events both ways": _scenario(
            orchestrator="ping", input="other", first=_other_end, expect=["pong 0", "pong 1"]
        ),
        "forgetful": _scenario(orchestrator="forgetful", expect="done"),
        "scheduled start": _scenario(orchestrator="chain", input=0, starts_after=timedelta(seconds=20), expect=3),
        "event before the start": _scenario(
            orchestrator="approval",
            starts_after=timedelta(seconds=20),
            events=(("approval", "early"),),
            expect="early",
        ),
        "suspended and resumed": _scenario(orchestrator="pausing", input=0, then=_suspend_and_resume, expect=12),
        "terminated with children": _scenario(
            orchestrator="endless", input=2, then=_terminate, status=RuntimeStatus.TERMINATED, expect={"left": 2}
        ),
        "terminated before its time": _scenario(
            orchestrator="chain",
            input=0,
            starts_after=timedelta(minutes=10),
            then=_terminate,
            status=RuntimeStatus.TERMINATED,
            expect={"left": 2},
        ),
        "purged by force": _scenario(orchestrator="endless", input=2, then=_purge_by_force, status=None, expect=None),
        "detached": _scenario(orchestrator="sends_out", expect=[None, "silence"]),
        "purged": _scenario(orchestrator="chain", input=0, then=_purge, status=None, expect=None),
        "purged and started anew": _scenario(orchestrator="parent", input=2, then=_purge_family, expect="again"),
        "started anew": _scenario(orchestrator="chain", input=0, then=_start_anew, expect="again"),
        "started with an event": _scenario(orchestrator="chain", input=0, then=_start_greeted, expect=["first"]),
        "replaced while it runs": _scenario(orchestrator="approval", then=_replace, expect=3),
        "rewound": _rewound(orchestrator="patient", input="b", expect=["first", "b"]),
        "rewound with a child": _rewound(orchestrator="mother", input="b", expect=[["fine"], ["before", "b"]]),
        "versions": Scenario(
            registry=versioned.registry("1.0", "2.0", default="1.0"),
            settings=versioned.takes("2.0", VersionMatch.CURRENT_OR_OLDER),
            orchestrator="upgrade",
            input=[],
            events=(("paid", "yes"),),
            instance_id=_ID,
            expect=["1.0", "old", "child 1.0", "new child 2.0", "2.0", "new child 2.0", "yes"],
        ),
        "restarted": _scenario(orchestrator="chain", input=0, then=_restart, expect=3),
    }
    | ENTITIES
    | DEPLOYMENTS
    | TOOLS
)

# Payloads, messages and turns that are blobs: only the Azure provider has them.
LONG: dict[str, Scenario] = {
    "long values": _scenario(
        orchestrator="eternal", input=[], events=_LONG_TICKS, expect=[value for _, value, *_ in _LONG_TICKS]
    ),
    "long turns": _scenario(orchestrator="approval", events=(("approval", "y" * 20_000),), expect="y" * 20_000),
}
