"""What every session of a worker shares. A plain bundle, handed down by the worker; no behaviour."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from durable_ext.providers.contract import Catalog, Clock, Provider
from durable_ext.worker.acceptance import Acceptance
from durable_ext.worker.activities.affinities import Affinities
from durable_ext.worker.activities.runner import ActivityRunner
from durable_ext.worker.activities.withdrawals import Withdrawals
from durable_ext.worker.entities.code import EntityCode
from durable_ext.worker.heartbeat import Heartbeat
from durable_ext.worker.lifecycle import Notices
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.projection import Projector
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.state import Loader
from durable_ext.worker.terminations import Terminations


class Services(msgspec.Struct, frozen=True, kw_only=True):
    """`next_commit_id` makes ids no other process makes (P2); all begin with `process_id`."""

    provider: Provider
    catalog: Catalog
    settings: WorkerSettings
    acceptance: Acceptance
    clock: Clock
    loader: Loader
    payloads: PayloadStore
    activities: ActivityRunner
    entities: EntityCode
    projector: Projector
    heartbeat: Heartbeat
    withdrawals: Withdrawals
    terminations: Terminations
    affinities: Affinities
    notices: Notices
    mishaps: Mishaps
    process_id: str
    next_commit_id: Callable[[], str]
