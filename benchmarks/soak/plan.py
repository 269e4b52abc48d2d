"""The plan of a soak, from its seed alone: what is started when, what must come of it, who is killed when.

Expected results are computed here from the inputs, without the engine.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class Ending(StrEnum):
    """How an instance must end."""

    RETURNS = "Completed"
    FAILS = "Failed"
    IS_TERMINATED = "Terminated"


@dataclass(frozen=True)
class Order:
    """One instance to start. `output` is what it must return, or the reason it is terminated for.

    `events` are to be raised, each number once; `paced`: each when the one before was consumed; `keyed`: each under
    an idempotency key, so that raising it again is the same event. `direct`: started through the client, not over HTTP.
    """

    id: str
    kind: str
    input: Any
    output: Any = None
    ending: Ending = Ending.RETURNS
    events: int = 0
    paced: bool = False
    keyed: bool = False
    direct: bool = False


@dataclass(frozen=True)
class Settings:
    """How long and how hard. `rate`: starts a second. `kill_every`, `stall_every`, `pause_every`: seconds between two,
    on average; a pause is a stall of one to three minutes. `down`: seconds that storage is away. `tidy`: schedule of an
    extra janitor. `patience`: seconds to wait for rest."""

    minutes: float = 10.0
    seed: int = 1
    rate: float = 8.0
    hosts: int = 3
    kill_every: float = 6.0
    stall_every: float = 30.0
    pause_every: float = 150.0
    azurite_restarts: int = 2
    down: float = 4.0
    lease: float = 5.0
    max_attempts: int = 5
    tidy: str = ""
    patience: float = 240.0

    @property
    def seconds(self) -> float:
        return self.minutes * 60


@dataclass(frozen=True)
class Plan:
    """`kills` and `stalls`: when, and which host; `pauses`: when the first host sleeps, and for how many seconds;
    `outages`: when storage goes down."""

    kills: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    stalls: list[tuple[float, int]] = field(default_factory=list[tuple[float, int]])
    pauses: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    outages: list[float] = field(default_factory=list[float])


# The first host is killed in the first third only: afterwards it lives long enough to show what leaks, and to sleep.
SPARED = 0
_SHORTEST_PAUSE, _LONGEST_PAUSE = 60.0, 180.0


def make_plan(settings: Settings) -> Plan:
    """When what is broken."""
    chance = random.Random(f"{settings.seed} kills")  # noqa: S311 - no secret
    kills = [
        (at, chance.randrange(SPARED if at < settings.seconds / 3 else SPARED + 1, settings.hosts))
        for at in _times(chance, settings.kill_every, settings.seconds)
    ]
    stalls = [(at, chance.randrange(settings.hosts)) for at in _times(chance, settings.stall_every, settings.seconds)]
    count = settings.azurite_restarts
    outages = [settings.seconds * (number + 1) / (count + 1) for number in range(count)]
    return Plan(kills, stalls, _pauses(settings), outages)


def _pauses(settings: Settings) -> list[tuple[float, float]]:
    """Drawn by themselves, so that the rest of a seed's plan is as it was; those that end before the load does."""
    chance = random.Random(f"{settings.seed} pauses")  # noqa: S311 - no secret
    found: list[tuple[float, float]] = []
    for at in _times(chance, settings.pause_every, settings.seconds):
        seconds = chance.uniform(_SHORTEST_PAUSE, _LONGEST_PAUSE)
        begins_after = sum(found[-1]) if found else settings.seconds / 3
        if begins_after < at and at + seconds < settings.seconds:
            found.append((at, seconds))
    return found


def _times(chance: random.Random, every: float, end: float) -> Iterator[float]:
    at = every * chance.uniform(0.5, 1.0)
    while at < end:
        yield at
        at += every * chance.uniform(0.5, 1.5)


def orders(seed: int) -> Iterator[Order]:
    """An endless mixed load, the same for the same seed."""
    chance = random.Random(f"{seed} load")  # noqa: S311 - no secret
    makers, weights = zip(*_KINDS, strict=True)
    number = 0
    while True:
        maker = chance.choices(makers, weights)[0]
        order_id = f"{maker.__name__.strip('_').replace('_', '-')}-{number:06}"
        yield maker(order_id, chance)
        number += 1


Maker = Callable[[str, random.Random], Order]


def _direct(chance: random.Random) -> bool:
    return chance.random() < 0.2


def _pause(chance: random.Random) -> int:
    # Mostly short, sometimes so long that a kill finds it.
    return chance.choice((1, 5, 20, 100, 400, 1500))


def _chain(order_id: str, chance: random.Random) -> Order:
    length, start = chance.randint(1, 8), chance.randrange(1000)
    given = {"length": length, "start": start, "pause": _pause(chance)}
    return Order(order_id, "chain", given, start + sum(range(length)), direct=_direct(chance))


def _fan_out(order_id: str, chance: random.Random) -> Order:
    width = chance.randint(2, 20)
    given = {"width": width, "pause": _pause(chance)}
    return Order(order_id, "fan_out", given, sum(2 * number for number in range(width)), direct=_direct(chance))


def _timers(order_id: str, chance: random.Random) -> Order:
    # Some are longer than what a process waits for itself, so that they go through a queue.
    pauses = [chance.choice((30, 200, 700, 3500)) for _ in range(chance.randint(1, 4))]
    return Order(order_id, "timers", pauses, len(pauses), direct=_direct(chance))


def _deadline(order_id: str, chance: random.Random) -> Order:
    return Order(order_id, "deadline", chance.choice((0.2, 1.0, 4.0)), "too late", direct=_direct(chance))


def _collect(order_id: str, chance: random.Random) -> Order:
    return _with_events(order_id, chance, "collect")


def _relay(order_id: str, chance: random.Random) -> Order:
    return _with_events(order_id, chance, "relay")


def _with_events(order_id: str, chance: random.Random, kind: str) -> Order:
    events = chance.randint(1, 6)
    paced, keyed = kind == "collect" and chance.random() < 0.5, chance.random() < 0.5
    given: Any = events if kind == "collect" else {"count": events, "received": []}
    return Order(order_id, kind, given, events=events, paced=paced, keyed=keyed, direct=_direct(chance))


def _tree(order_id: str, chance: random.Random) -> Order:
    width, depth, value = chance.randint(1, 3), chance.randint(1, 2), chance.randrange(100)
    given = {"width": width, "depth": depth, "value": value}
    return Order(order_id, "tree", given, tree_total(given), direct=_direct(chance))


def tree_total(call: dict[str, int]) -> int:
    """What a tree returns: its leaves are numbered through, and each adds one."""
    leaves = call["width"] ** call["depth"]
    return sum(call["value"] * leaves + number + 1 for number in range(leaves))


def child_order(child_id: str, kind: str, given: Any) -> Order | None:
    """What must come of a child orchestration; None for one that no kind of the load starts."""
    match kind:
        case "tree":
            return Order(child_id, kind, given, tree_total(given))
        case "held":
            return Order(child_id, kind, given, None, Ending.IS_TERMINATED)
        case _:
            return None


def _tell(order_id: str, chance: random.Random) -> Order:
    names = chance.sample([f"@ledger@{letter}" for letter in "abcdef"], chance.randint(1, 2))
    alone, count = chance.random() < 0.3, chance.randint(1, 6)
    answers = [number + 1 for number in range(count) if alone or number % 2 == 0 for _ in names]
    return Order(order_id, "tell", {"ledgers": names, "count": count, "alone": alone}, answers, direct=_direct(chance))


def _rounds(order_id: str, chance: random.Random) -> Order:
    left = chance.randint(2, 6)
    return Order(order_id, "rounds", {"left": left, "total": 0}, left * (left + 1) // 2, direct=_direct(chance))


def _flaky(order_id: str, chance: random.Random) -> Order:
    failures = chance.randint(1, 3)
    return Order(order_id, "flaky", failures, 2 * failures, direct=_direct(chance))


def _doomed(order_id: str, chance: random.Random) -> Order:
    return Order(order_id, "doomed", None, ending=Ending.FAILS, direct=_direct(chance))


def _long_text(order_id: str, chance: random.Random) -> Order:
    times = chance.choice((10, 5_000, 20_000))
    return Order(order_id, "long_text", {"text": "durable", "times": times}, 7 * times, direct=_direct(chance))


def _held(order_id: str, chance: random.Random) -> Order:
    reason, depth = f"enough of {order_id}", chance.randint(0, 2)
    return Order(order_id, "held", depth, reason, Ending.IS_TERMINATED, direct=_direct(chance))


_KINDS: tuple[tuple[Maker, int], ...] = (
    (_chain, 5),
    (_fan_out, 3),
    (_timers, 3),
    (_deadline, 1),
    (_collect, 3),
    (_relay, 2),
    (_tree, 3),
    (_rounds, 3),
    (_tell, 3),
    (_flaky, 2),
    (_doomed, 1),
    (_long_text, 1),
    (_held, 2),
)
