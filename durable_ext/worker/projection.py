"""Writes the Instances row behind history (P8): guarded by its etag, and never over a newer one."""

from __future__ import annotations

import logging

import msgspec

from durable_ext.errors import RowChangedError, StorageUnavailableError
from durable_ext.providers.contract import Provider
from durable_ext.records.instance import InstanceRow, Stuck
from durable_ext.worker.signals import Signals

logger = logging.getLogger("durable_ext.worker")

_TRIES = 5


class Projector:
    """Writes rows for sessions and the janitor."""

    def __init__(self, provider: Provider, signals: Signals) -> None:
        self._provider = provider
        self._signals = signals

    async def write(self, row: InstanceRow, etag: str) -> str:
        """Write the row unless storage has a newer one; return the new etag, "" when the row is not ours to write.

        Raises StorageError; the row then lags, which a redelivery or the janitor mends.
        """
        for _ in range(_TRIES):
            try:
                etag = await self._provider.update_row(row, etag)
            except RowChangedError:
                stored = await self._provider.read_row(row.instance_id)
                if stored is None:
                    return ""
                if stored.row.position > row.position:
                    return ""  # no etag: the next write has to look again
                if stored.row.position == row.position and stored.row.execution == row.execution:
                    self._signals.publish(row)  # our own write, whose answer was lost (P13)
                    return stored.etag
                stuck = stored.row.stuck
                if stuck is not None and stuck.since >= row.updated_at and not row.status.is_terminal:
                    row = msgspec.structs.replace(row, stuck=stuck)  # what the row shows is from before
                if stored.row.execution.generation == row.execution.generation and (
                    stored.row.execution.execution_id != row.execution.execution_id
                ):
                    return ""  # another instance took the id after a purge
                if stored.row.execution != row.execution and await self._was_purged(row):
                    return ""  # the same, from generation 0 on
                etag = stored.etag
            else:
                self._signals.publish(row)
                return etag
        raise _kept_changing(row.instance_id)

    async def _was_purged(self, row: InstanceRow) -> bool:
        loaded = await self._provider.load(row.instance_id)
        return row.execution.execution_id in loaded.buried

    async def mark(self, instance_id: str, stuck: Stuck) -> None:
        """Have the row say that the instance is stuck, unless it has ended or there is none. Raises StorageError."""
        for _ in range(_TRIES):
            stored = await self._provider.read_row(instance_id)
            if stored is None or stored.row.status.is_terminal:
                return
            if stored.row.stuck is not None:
                stuck = msgspec.structs.replace(stuck, since=stored.row.stuck.since)
            row = msgspec.structs.replace(stored.row, stuck=stuck)
            try:
                await self._provider.update_row(row, stored.etag)
            except RowChangedError:
                continue
            self._signals.publish(row)
            logger.error("instance %s is stuck on message %s: %s", instance_id, stuck.message_id, stuck.reason)
            return
        raise _kept_changing(instance_id)


def _kept_changing(instance_id: str) -> StorageUnavailableError:
    return StorageUnavailableError(f"the row of instance {instance_id!r} kept changing while it was written")
