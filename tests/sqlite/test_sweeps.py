"""What a sweep takes that no verb of the contract shows."""

from __future__ import annotations

import sqlite3
from datetime import timedelta

from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.testing import virtual_time
from durable_ext.testing.virtual_time import VirtualClock


def _affinities(db: sqlite3.Connection) -> list[str]:
    return [str(row[0]) for row in db.execute("SELECT name FROM affinities").fetchall()]


def test_a_sweep_takes_affinities_that_nobody_holds() -> None:
    async def main(clock: VirtualClock) -> None:
        provider = SqliteProvider(":memory:", clock=clock)
        await provider.create_hub()
        for name, days in (("old", 1), ("held", 9)):
            await provider.hold_affinity(name, "one", timedelta(days=days))
        await provider.sweep(clock() + timedelta(days=2))
        database = provider._database  # pyright: ignore[reportPrivateUsage]
        assert await database.read(_affinities) == ["held"]
        await provider.close()

    virtual_time.run(main)
