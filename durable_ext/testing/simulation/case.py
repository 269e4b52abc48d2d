"""What one run is made of, as data: its processes, its load, and everything that goes wrong.

A case can be written down, made smaller and played again. `faults` None: they are drawn while it runs, from the seed;
a run returns those it drew, and the same case with them given plays the same.
"""

from __future__ import annotations

from typing import Any

import msgspec

from durable_ext.records.ids import DEFAULT_TAG

# A programme: a tree of nodes, each with its `kind` (see programme.py).
Node = dict[str, Any]


class _Part(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    pass


class Order(_Part, frozen=True, kw_only=True):
    """What somebody outside wants of an instance, `at` seconds after the begin.

    `kind`: event, terminate, suspend, resume, purge, again (start the id once more), restart (the same, by the input
    that is stored) or copy (that, under an id of its own). An event whose order is `after_last` waits until the one
    before it is in history, so that their order is known. `recursive`: a termination reaches the children.
    """

    at: float
    kind: str
    name: str = ""
    value: Any = None
    after_last: bool = False
    recursive: bool = True


class Planned(_Part, frozen=True, kw_only=True):
    """One instance of the load. It is started `at` seconds, once the instance `after` is there.

    `through`: its start goes through the client of a process (which may die), not of an outside caller. `rewinds`:
    each time it has failed, the next of these is mended, and it is rewound.
    """

    id: str
    programme: Node
    at: float = 0
    after: str = ""
    through: bool = False
    start_in: float = 0
    orders: tuple[Order, ...] = ()
    rewinds: tuple[str, ...] = ()


class ProcessPlan(_Part, frozen=True, kw_only=True):
    """A place where a process runs, and another after it when it ended. `skew`: its clock is so many seconds ahead,
    unless the store has one machine only. `work_tags`: activities with one of these run there; `default` are those
    without a tag."""

    skew: float = 0
    sessions: bool = True
    slots: int = 8
    adopts: bool = False
    local_timer: float = 3
    work_tags: tuple[str, ...] = (DEFAULT_TAG,)


class Disturbance(_Part, frozen=True, kw_only=True):
    """Something happens to a process `at` seconds: kill, stop (both: another starts after `seconds`), stall, pause (it
    sleeps for `seconds`, a pause for minutes), or to storage: burst (it throttles most calls for `seconds`)."""

    at: float
    kind: str
    place: int = 0
    seconds: float = 0


class CallFault(_Part, frozen=True, kw_only=True):
    """Something happens to one storage call, the `call`th of a line (see lines.py for the kinds)."""

    line: str
    call: int
    kind: str
    seconds: float = 0


class Case(_Part, frozen=True, kw_only=True):
    """One run. `window`: for so many seconds things go wrong, `rate` is how often a call has a fault."""

    seed: int
    store: str = "azure"
    partitions: int = 2
    page_rows: int = 1000
    window: float = 300
    rate: float = 0.03
    noise: float = 0.05
    places: tuple[ProcessPlan, ...] = (ProcessPlan(),)
    load: tuple[Planned, ...] = ()
    disturbances: tuple[Disturbance, ...] = ()
    faults: tuple[CallFault, ...] | None = None


def to_text(case: Case) -> str:
    """The case as JSON."""
    return msgspec.json.encode(case).decode()


def from_text(text: str | bytes) -> Case:
    """A case from its JSON. Raises msgspec.DecodeError."""
    return msgspec.json.decode(text, type=Case)
