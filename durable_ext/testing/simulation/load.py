"""The case of a seed: what is started, what people do to it, on which processes, and what happens to those."""

from __future__ import annotations

from random import Random
from typing import Any

import msgspec

from durable_ext.records.ids import DEFAULT_TAG
from durable_ext.testing.simulation.case import Case, Disturbance, Node, Order, Planned, ProcessPlan

_DAY = 86_400.0
_LONG = 40_000
_SQLITE_SHARE = 0.12
_REWOUND_SHARE = 0.15
_DEPTH = 2
_ENTITIES = ("a", "b")
_SESSIONS = ("s", "t")
_TAGS = ("east", "gpu")
_TAGGED_SHARE = 0.35


def case_of(seed: int) -> Case:
    """The case of a seed; the same each time."""
    random = Random(f"{seed}/case")  # noqa: S311 - has to be the same in each run
    window = random.choice([60.0, 180.0, 300.0, 600.0])
    places = tuple(_place(random) for _ in range(random.randint(2, 4)))
    tagged = random.random() < _TAGGED_SHARE
    if tagged:
        places = _with_tags(random, places)
    return Case(
        seed=seed,
        store="sqlite" if random.random() < _SQLITE_SHARE else "azure",
        partitions=random.choice([1, 1, 2, 3]),
        page_rows=random.choice([1000, 1000, 3]),
        window=window,
        rate=random.choice([0.0, 0.01, 0.03, 0.05, 0.08]),
        noise=random.choice([0.0, 0.02, 0.1, 1.0]),
        places=places,
        load=_Load(random, window, tags=_TAGS if tagged else ()).instances(),
        disturbances=_disturbances(random, window, len(places)) + _pauses(seed, window, len(places)),
    )


def _place(random: Random) -> ProcessPlan:
    return ProcessPlan(
        skew=random.choice([0.0, 0.0, round(random.uniform(-30, 30), 1)]),
        sessions=random.random() < 0.85,
        slots=random.choice([1, 2, 8]),
        adopts=random.random() < 0.5,
        local_timer=random.choice([0.0, 3.0, 30.0]),
    )


def _with_tags(random: Random, places: tuple[ProcessPlan, ...]) -> tuple[ProcessPlan, ...]:
    """Each tag is taken at one place at least, some places take several, and some none: no activity runs there."""
    takers = {tag: random.sample(range(len(places)), random.randint(1, len(places))) for tag in (DEFAULT_TAG, *_TAGS)}
    return tuple(
        msgspec.structs.replace(place, work_tags=tuple(tag for tag in takers if number in takers[tag]))
        for number, place in enumerate(places)
    )


def _disturbances(random: Random, window: float, places: int) -> tuple[Disturbance, ...]:
    found: list[Disturbance] = []
    for _ in range(random.choice([0, 1, 2, 4, 6])):
        kind = random.choice(["kill", "kill", "kill", "stop", "stall", "stall", "burst"])
        seconds = random.uniform(35, 120) if kind == "stall" else random.uniform(0.5, 40)
        at = random.choice([random.uniform(0, 5), random.uniform(0, window)])
        found.append(Disturbance(at=round(at, 2), kind=kind, place=random.randrange(places), seconds=round(seconds, 1)))
    return tuple(sorted(found, key=lambda disturbance: disturbance.at))


def _pauses(seed: int, window: float, places: int) -> tuple[Disturbance, ...]:
    """Processes that sleep for minutes. Drawn by themselves, so that whatever else a seed says is as it was before."""
    random = Random(f"{seed}/pauses")  # noqa: S311 - has to be the same in each run
    return tuple(
        Disturbance(
            at=round(random.uniform(0, window), 2),
            kind="pause",
            place=random.randrange(places),
            seconds=round(random.uniform(60, 300), 1),
        )
        for _ in range(random.choice([0, 0, 0, 1, 2]))
    )


class _Load:
    """Makes the instances of one case. Every name is new, so that no event is meant for two waits."""

    def __init__(self, random: Random, window: float, tags: tuple[str, ...]) -> None:
        self._random = random
        self._tags = tags
        self._window = window
        self._count = 0
        self._orders: list[Order] = []
        self._rewinds: list[str] = []
        self._breaks = False
        self._named_children = False

    def instances(self) -> tuple[Planned, ...]:
        found: list[Planned] = []
        for _ in range(self._random.choice([1, 2, 3, 4, 5, 6])):
            found += self._pair() if self._random.random() < 0.15 else [self._instance()]
        return tuple(found)

    def _new(self, word: str) -> str:
        self._count += 1
        return f"{word}{self._count}"

    def _id(self) -> str:
        return self._new(self._random.choice(["order-", "Order-", "größe ", "a'b^", "x:"]))

    def _soon(self) -> float:
        return round(self._random.choice([self._random.uniform(0, 3), self._random.uniform(0, self._window / 2)]), 1)

    def _instance(self) -> Planned:
        random = self._random
        self._orders, self._rewinds, self._named_children, self._breaks = [], [], False, False
        programme = self._root()
        needs_events = bool(self._orders)
        # A child's own id is the same in each execution of its parent: what ends one may meet another.
        self._commands(again=not (needs_events or self._named_children or self._rewinds))
        return Planned(
            id=self._id(),
            programme=programme,
            at=self._soon(),
            through=random.random() < 0.3,
            start_in=random.choice([0, 0, 0, 0, 0, 45.0, 2 * _DAY]) if not needs_events else 0,
            orders=tuple(sorted(self._orders, key=lambda order: order.at)),
            rewinds=tuple(self._rewinds),
        )

    def _pair(self) -> list[Planned]:
        """One waits for what the other sends."""
        random, name = self._random, self._new("told")
        receiver = self._id()
        values = [f"{name}-{number}" for number in range(random.randint(1, 3))]
        waiting: Node = {"kind": "wait", "name": name, "count": len(values), "ordered": False, "values": values}
        if random.random() < 0.4:
            waiting |= {"kind": "loop", "work": random.random() < 0.5}
        self._orders = []
        sends: list[Node] = [{"kind": "send", "to": receiver, "name": name, "value": value} for value in values]
        parts = [part for send in sends for part in (send, self._leaf())]
        at = self._soon()
        return [
            Planned(id=receiver, programme=waiting, at=at),
            Planned(
                id=self._id(),
                programme={"kind": "chain", "parts": parts},
                at=at,
                after=receiver,
                orders=tuple(sorted(self._orders, key=lambda order: order.at)),
            ),
        ]

    def _commands(self, *, again: bool) -> None:
        random, window = self._random, self._window
        if random.random() < 0.15:
            begin = random.uniform(0, window)
            self._orders.append(Order(at=round(begin, 1), kind="suspend"))
            self._orders.append(Order(at=round(begin + random.uniform(1, 120), 1), kind="resume"))
        if random.random() < 0.15:
            recursive = random.random() < 0.7
            self._orders.append(Order(at=round(random.uniform(0, window), 1), kind="terminate", recursive=recursive))
        if again and random.random() < 0.35:
            kind = random.choice(["again", "restart", "copy"])
            self._orders.append(Order(at=round(random.uniform(0, window), 1), kind=kind))
        if random.random() < 0.2:
            self._orders.append(Order(at=round(random.uniform(0, 2 * window), 1), kind="purge"))
            if again and random.random() < 0.4:
                self._orders.append(Order(at=round(2 * window + random.uniform(0, 60), 1), kind="again"))

    def _root(self) -> Node:
        random = self._random
        if random.random() < 0.15:
            return self._loop()
        self._breaks = random.random() < _REWOUND_SHARE
        parts = [self._node(_DEPTH) for _ in range(random.randint(1, 4))]
        if random.random() < 0.2:
            # Nothing runs beside it: an orchestration has one lock at a time, and calls nobody else meanwhile.
            parts.insert(random.randint(0, len(parts)), self._locked())
        if self._breaks:
            # All events are taken by then: those that come while it has failed are nobody's.
            parts += [
                part for _ in range(random.choice([1, 1, 2])) for part in (self._breaking(_DEPTH), self._quiet(0))
            ]
        if random.random() < 0.1:
            parts.append({"kind": "fail", "text": self._new("failed ")})
            if random.random() < 0.5:
                self._rewinds.append(self._new("nothing "))
        return {"kind": "chain", "parts": parts}

    def _breaking(self, depth: int, name: str = "") -> Node:
        """What fails until something is mended, and the orchestration, or the child, with it."""
        random = self._random
        if not name:
            name = self._new("part ")
            self._rewinds.append(name)
        match random.choice(["work", "child", "child", "all", "all", "locked"]):
            case "child" if depth:
                child = self._child(depth, self._breaking(depth - 1, name))
                return child | {"until": name}
            case "all" if depth:
                parts = [self._quiet(depth) for _ in range(random.randint(1, 3))]
                parts.insert(random.randint(0, len(parts)), self._breaking(depth - 1, name))
                return {"kind": "all", "parts": parts}
            case "locked" if depth == _DEPTH:
                return self._locked() | {"until": name}
            case _:
                seconds = random.choice([0, 0, 3, 40])
                placement = random.choice(["auto", "queue", "local"])
                return {
                    "kind": "work",
                    "value": self._new("v"),
                    "until": name,
                    "seconds": seconds,
                    "placement": placement,
                }

    def _node(self, depth: int) -> Node:
        random = self._random
        if depth == 0 or random.random() < 0.5:
            return self._leaf()
        match random.choice(["all", "all", "child", "chain"]):
            case "all":
                return {"kind": "all", "parts": [self._node(depth - 1) for _ in range(random.choice([2, 3, 3, 6]))]}
            case "child":
                return self._child(depth)
            case _:
                return {"kind": "chain", "parts": [self._node(depth - 1) for _ in range(random.randint(1, 3))]}

    def _child(self, depth: int, last: Node | None = None) -> Node:
        parts = [self._quiet(depth - 1) for _ in range(self._random.randint(1, 2))]
        if last is not None:
            parts.append(last)
        elif self._random.random() < 0.25:
            parts.append({"kind": "fail", "text": self._new("failed ")})
        node: Node = {"kind": "child", "programme": {"kind": "chain", "parts": parts}}
        if self._random.random() < 0.4:
            node["id"] = self._new("child-")
            self._named_children = True
        return node

    def _quiet(self, depth: int) -> Node:
        """A node without events from outside: nobody outside knows the id of a child."""
        if depth > 0 and self._random.random() < 0.2:
            return self._child(depth)
        return self._random.choice([self._work, self._work, self._timer, self._forget, self._tell, self._ask])()

    def _leaf(self) -> Node:
        makers = [self._work] * 5 + [self._timer, self._wait, self._wait, self._status, self._forget]
        makers += [self._tell, self._ask]
        return self._random.choice(makers)()

    def _work(self) -> Node:
        random = self._random
        value: Any = self._new("v")
        if random.random() < 0.06:
            value = value + "x" * _LONG
        node: Node = {"kind": "work", "value": value}
        match random.choice(["plain", "plain", "plain", "slow", "fails", "flaky", "thread", "once"]):
            case "slow":
                node["seconds"] = random.choice([0.3, 2, 8, 25, 70])
            case "fails":
                node["fails"] = f"no {value[:20]}"
                node["attempts"] = random.choice([1, 3])
            case "flaky":
                # After a rewind the last attempt may be made again, and succeed.
                most = 2 if self._breaks else 3
                node |= {"fails_first": random.randint(1, most), "attempts": 3, "interval": random.choice([1, 5, 400])}
            case "thread":
                node["activity"] = "work_in_thread"
            case "once":
                node |= {"once": True, "activity": random.choice(["work_once", "work_once_or_fail"])}
                node["seconds"] = random.choice([0, 0, 2, 25])
            case _:
                pass
        if random.random() < 0.1:
            node["session"] = random.choice(_SESSIONS)
        if self._tags and random.random() < 0.4:
            node["tag"] = random.choice(self._tags)
        if random.random() < 0.5:
            node["placement"] = random.choice(["queue", "queue", "local"])
        return node

    def _tell(self) -> Node:
        return {"kind": "tell", "entity": self._random.choice(_ENTITIES), "token": self._new("told")}

    def _ask(self) -> Node:
        return {"kind": "ask", "entity": self._random.choice(_ENTITIES), "token": self._new("asked")}

    def _locked(self) -> Node:
        random = self._random
        names = random.sample(_ENTITIES, random.randint(1, len(_ENTITIES)))
        seconds = random.choice([0.5, 5, 90])
        return {"kind": "locked", "entities": names, "token": self._new("alone"), "seconds": seconds}

    def _timer(self) -> Node:
        seconds = self._random.choice([0.5, 2, 10, 60, 600, _DAY, 9 * _DAY])
        return {"kind": "timer", "seconds": seconds}

    def _status(self) -> Node:
        return {"kind": "status", "value": self._new("at ")}

    def _forget(self) -> Node:
        return {"kind": "forget"}

    def _wait(self) -> Node:
        random, name = self._random, self._new("event")
        node: Node = {"kind": "wait", "name": name, "count": 1, "ordered": False}
        match random.choice(["plain", "plain", "ordered", "timeout", "never", "racing"]):
            case "never":
                node |= {"never": True, "timeout": random.choice([1, 30, _DAY])}
            case "racing":
                values = self._raise(name, 1, ordered=False)
                node |= {"racing": True, "timeout": random.choice([5, 60]), "values": values}
            case "timeout":
                node["timeout"] = 3 * _DAY
                self._raise(name, 1, ordered=False)
            case kind:
                node |= {"count": random.randint(1, 4), "ordered": kind == "ordered"}
                self._raise(name, node["count"], ordered=kind == "ordered")
        return node

    def _loop(self) -> Node:
        random, name = self._random, self._new("turn")
        node: Node = {
            "kind": "loop",
            "name": name,
            "count": random.randint(2, 5),
            "ordered": random.random() < 0.5,
            "work": random.random() < 0.6,
        }
        self._raise(name, node["count"], ordered=node["ordered"])
        return node

    def _raise(self, name: str, count: int, *, ordered: bool) -> list[str]:
        """Have so many events raised: early, late, close together, some of them twice."""
        random = self._random
        values = [f"{name}-{number}" + ("y" * _LONG if random.random() < 0.05 else "") for number in range(count)]
        at = self._soon()
        for value in values:
            self._orders.append(Order(at=at, kind="event", name=name, value=value, after_last=ordered))
            if random.random() < 0.2:
                repeated = Order(at=at + 1, kind="event", name=name, value=value, after_last=ordered)
                self._orders.append(repeated)
            at = round(at + random.choice([0.0, 0.1, random.uniform(0, 30)]), 1)
        return values
