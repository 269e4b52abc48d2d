"""How a worker runs. Values, checked once; where they come from is the host's business."""

from __future__ import annotations

import os
from datetime import timedelta

import msgspec

from durable_ext.errors import ConfigurationError, InvalidInputError
from durable_ext.records.ids import DEFAULT_TAG, check_tag
from durable_ext.records.versions import VersionFailure, VersionMatch
from durable_ext.worker.lifecycle import Lifecycle
from durable_ext.worker.telemetry import SILENCE, Telemetry

_LEAST = {
    "activity_slots": 1,
    "activity_processes": 1,
    "cached_instances": 0,
    "most_attempts": 1,
    "most_affinities": 1,
}


class WorkerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`activity_slots`: activities running at once in this process. `activity_processes`: child processes for those
    that run in one, begun when they are needed. `session_budget`: how long a session may go on
    placing work here (S5); under Functions a share of the function timeout. `cached_instances`: instances kept in
    memory after their session (S2). `long_activity`: one that has proved to take longer is queued, so that it does not
    hold a trigger (S3). `local_backlog`: how much waiting work, measured in time, is kept here rather than queued.
    `local_timer`: timers due within it are waited for here. `slow_message`: a message of a shared delivery that takes
    longer gets a delivery of its own, leased for `own_lease` at a time (S7). `status_interval`: how far the Instances
    row may lag behind a session under way (P8). `heartbeat`: how often a process that holds messages says so; three
    beats left out, and others take up what it held (F2). `sessions`: False keeps nothing in memory: every turn replays.
    `most_attempts`: a message at which processes failed as often is given up, with its reason (P11); the host's own
    bound, at most.
    `work_tags`: only activities with one of these tags run here; `default` are those without a tag. None at all:
    orchestrations only. `leave_unknown`: how long an activity that is not registered here is left for other processes
    before it fails; zero, the default: it fails at once. `most_affinities`: sessions of activities held here at once;
    `affinity_lease`: how long one stays with a process that died; `affinity_idle`: it is let go when nothing of it has
    run for so long.
    `version`: of this worker's code, by default the app's default version. `version_match`: which versions of
    executions it takes. `version_failure`: the others wait for another worker (REJECT), as do those whose orchestrator
    or entity is not registered here; or both fail (FAIL). None: other versions wait, what is not registered fails.
    `stall_limit`: how long code of the app may block the event loop before the watchdog ends the process; zero: it is
    reported only.
    `telemetry` is told what the worker does, `lifecycle` what becomes of orchestrations; by default nobody is.
    """

    activity_slots: int = msgspec.field(default_factory=lambda: 10 * (os.cpu_count() or 1))
    activity_processes: int = msgspec.field(default_factory=lambda: os.cpu_count() or 1)
    session_budget: timedelta = timedelta(minutes=5)
    cached_instances: int = 500
    long_activity: timedelta = timedelta(seconds=10)
    local_backlog: timedelta = timedelta(milliseconds=500)
    local_timer: timedelta = timedelta(seconds=3)
    slow_message: timedelta = timedelta(seconds=5)
    own_lease: timedelta = timedelta(seconds=30)
    status_interval: timedelta = timedelta(milliseconds=500)
    heartbeat: timedelta = timedelta(seconds=15)
    sessions: bool = True
    most_attempts: int = 5
    work_tags: tuple[str, ...] = (DEFAULT_TAG,)
    leave_unknown: timedelta = timedelta(0)
    most_affinities: int = 100
    affinity_lease: timedelta = timedelta(seconds=30)
    affinity_idle: timedelta = timedelta(minutes=5)
    stall_limit: timedelta = timedelta(minutes=2)
    version: str | None = None
    version_match: VersionMatch = VersionMatch.NONE
    version_failure: VersionFailure | None = None
    telemetry: Telemetry = SILENCE
    lifecycle: Lifecycle | None = None

    def __post_init__(self) -> None:
        for name, least in _LEAST.items():
            if getattr(self, name) < least:
                raise ConfigurationError(f"{name} is at least {least}")
        for name in ("heartbeat", "affinity_lease"):
            if getattr(self, name) < timedelta(seconds=1):
                raise ConfigurationError(f"{name} is at least a second")
        for name in ("leave_unknown", "affinity_idle", "stall_limit"):
            if getattr(self, name) < timedelta(0):
                raise ConfigurationError(f"{name} is at least zero")
        for tag in self.work_tags:
            try:
                check_tag(tag)
            except InvalidInputError as error:
                raise ConfigurationError(f"work_tags: {error}") from error

    def serves(self, tag: str) -> bool:
        """Whether activities with this tag run here; empty: those without one."""
        return (tag or DEFAULT_TAG) in self.work_tags
