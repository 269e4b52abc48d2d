"""Small cases for the tests of the simulation itself."""

from __future__ import annotations

import msgspec

from durable_ext.testing.simulation.case import CallFault, Case, Disturbance, Order, Planned, ProcessPlan

EVENTS = ("tick-0", "tick-1", "tick-2", "tick-3")


def eternal(seed: int = 0, *faults: CallFault) -> Case:
    """An eternal orchestration that takes four events, on two processes, with these faults."""
    orders = tuple(
        Order(at=5.0 * (number + 1), kind="event", name="tick", value=value) for number, value in enumerate(EVENTS)
    )
    loop = {"kind": "loop", "name": "tick", "count": len(EVENTS), "ordered": False}
    return quiet(seed, Planned(id="eternal", programme=loop, orders=orders), faults=faults)


def chain(seed: int = 0, *faults: CallFault) -> Case:
    """Three activities one after the other, through the queue."""
    parts = [{"kind": "work", "value": f"v{number}", "placement": "queue"} for number in range(3)]
    return quiet(seed, Planned(id="chain", programme={"kind": "chain", "parts": parts}), faults=faults)


def quiet(seed: int, *load: Planned, faults: tuple[CallFault, ...] = ()) -> Case:
    """A case in which nothing goes wrong but what is given."""
    places = (ProcessPlan(), ProcessPlan())
    return Case(seed=seed, partitions=1, window=60, rate=0, noise=0, places=places, load=load, faults=faults)


def told(seed: int, *faults: CallFault) -> Case:
    """An eternal orchestration that another one sends two events, some seconds apart."""
    loop = {"kind": "loop", "name": "told", "count": 2, "ordered": False, "values": ["a", "b"]}
    sends = [{"kind": "send", "to": "eternal", "name": "told", "value": value} for value in ("a", "b")]
    parts = [sends[0], {"kind": "timer", "seconds": 60}, sends[1]]
    sender = Planned(id="sender", programme={"kind": "chain", "parts": parts}, at=5, after="eternal")
    return quiet(seed, Planned(id="eternal", programme=loop), sender, faults=faults)


def here_and_there(seed: int, *faults: CallFault) -> Case:
    """An activity that takes a second here, then one through the queue."""
    parts = [
        {"kind": "work", "value": "here", "seconds": 1, "placement": "local"},
        {"kind": "work", "value": "there", "placement": "queue"},
    ]
    return quiet(seed, Planned(id="both", programme={"kind": "chain", "parts": parts}), faults=faults)


def purged(seed: int, *faults: CallFault) -> Case:
    """An instance whose process dies, and which is terminated and purged before its start comes back."""
    node = {"kind": "chain", "parts": [{"kind": "work", "value": "long", "seconds": 70, "placement": "local"}]}
    orders = (Order(at=10, kind="terminate"), Order(at=20, kind="purge"))
    case = quiet(seed, Planned(id="purged", programme=node, orders=orders), faults=faults)
    kills = tuple(Disturbance(at=5, kind="kill", place=place, seconds=2) for place in (0, 1))
    return msgspec.structs.replace(case, disturbances=kills)


def reported(seed: int, *faults: CallFault) -> Case:
    """A loop waits for two events; another orchestration sends them, with a long activity of its own between."""
    wait = {"kind": "wait", "name": "told", "count": 2, "ordered": False, "values": ["a", "b"]}
    parts = [
        {"kind": "send", "to": "waits", "name": "told", "value": "a"},
        {"kind": "work", "value": "long", "seconds": 25, "placement": "local"},
        {"kind": "send", "to": "waits", "name": "told", "value": "b"},
        {"kind": "work", "value": "more", "seconds": 8, "placement": "local"},
    ]
    sender = Planned(id="sender", programme={"kind": "chain", "parts": parts}, at=5, after="waits")
    return quiet(seed, Planned(id="waits", programme=wait), sender, faults=faults)


def broken(seed: int = 0, *faults: CallFault) -> Case:
    """A child fails until two things are mended, one after the other; before that two activities return."""
    parts = [
        {"kind": "work", "value": "before"},
        {"kind": "work", "value": "first", "until": "one"},
        {"kind": "work", "value": "second", "until": "two"},
    ]
    child = {"kind": "child", "until": "two", "programme": {"kind": "chain", "parts": parts}}
    programme = {"kind": "chain", "parts": [{"kind": "work", "value": "own"}, child]}
    return quiet(seed, Planned(id="broken", programme=programme, rewinds=("one", "two")), faults=faults)


def tagged(seed: int = 0, *faults: CallFault) -> Case:
    """Activities with a tag, which one of two processes takes, and without one, which only the other takes."""
    parts = [{"kind": "work", "value": "here"}, {"kind": "work", "value": "there", "tag": "gpu"}]
    planned = [Planned(id=name, programme={"kind": "chain", "parts": parts}) for name in ("a", "b", "c")]
    places = (ProcessPlan(), ProcessPlan(work_tags=("gpu",)))
    return msgspec.structs.replace(quiet(seed, *planned, faults=faults), places=places)


def family(*, recursive: bool) -> Case:
    """A parent and its child, which has a child as well and goes on for a day; the parent is terminated."""
    grandchild = {"kind": "child", "programme": {"kind": "timer", "seconds": 86_400}}
    child = {"kind": "child", "programme": {"kind": "chain", "parts": [grandchild]}}
    orders = (Order(at=10, kind="terminate", recursive=recursive),)
    return quiet(0, Planned(id="parent", programme={"kind": "chain", "parts": [child]}, orders=orders))


def copied(kind: str) -> Case:
    """An instance that is started anew by the input that is stored, under its id or another one."""
    programme = {"kind": "chain", "parts": [{"kind": "work", "value": "v"}]}
    return quiet(0, Planned(id="original", programme=programme, orders=(Order(at=20, kind=kind),)))


def told_then_locked(seed: int, *faults: CallFault) -> Case:
    """An entity is told something, and locked behind another one that passes the request on."""
    parts = [
        {"kind": "tell", "entity": "b", "token": "told"},
        {"kind": "timer", "seconds": 5},
        {"kind": "locked", "entities": ["a", "b"], "token": "alone", "seconds": 1},
    ]
    return quiet(seed, Planned(id="one", programme={"kind": "chain", "parts": parts}), faults=faults)


def rewound_under_a_lock(days: float) -> Case:
    """Something fails under a lock, is rewound, and goes on for days."""
    parts = [
        {"kind": "locked", "entities": ["a"], "token": "alone", "seconds": 1, "until": "it"},
        {"kind": "timer", "seconds": days * 86_400},
    ]
    return quiet(0, Planned(id="one", programme={"kind": "chain", "parts": parts}, rewinds=("it",)))


def locking(seed: int = 0, *faults: CallFault) -> Case:
    """Two orchestrations that tell two entities things, ask them, and lock both."""

    def telling(name: str) -> Planned:
        parts = [
            {"kind": "tell", "entity": "a", "token": f"{name}-1"},
            {"kind": "tell", "entity": "a", "token": f"{name}-2"},
            {"kind": "locked", "entities": ["b", "a"], "token": f"{name}-3", "seconds": 5},
            {"kind": "ask", "entity": "b", "token": f"{name}-4"},
        ]
        return Planned(id=name, programme={"kind": "chain", "parts": parts})

    return quiet(seed, telling("one"), telling("two"), faults=faults)
