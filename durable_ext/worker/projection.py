"""Writes the Instances row behind history (P8): guarded by its etag, and never over a newer one."""

from __future__ import annotations

from durable_ext.errors import RowChangedError, StorageUnavailableError
from durable_ext.providers.contract import Provider
from durable_ext.records.instance import InstanceRow
from durable_ext.worker.signals import Signals

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
        raise StorageUnavailableError(f"the row of instance {row.instance_id!r} kept changing while it was written")

    async def _was_purged(self, row: InstanceRow) -> bool:
        loaded = await self._provider.load(row.instance_id)
        return row.execution.execution_id in loaded.buried
