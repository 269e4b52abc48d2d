"""A host that is stopped shares its grace: work items first, then sessions."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, cast

import pytest

from durable_ext.host.host import drain

from .test_pump import Store, Worker, pumping, taking
from .virtual import run, until


class Stopping(Worker):
    """Notes how long its sessions may take to come to rest."""

    drained: float | None = None

    async def drain(self, grace: timedelta) -> None:
        self.drained = grace.total_seconds()


@pytest.mark.parametrize(("takes", "left"), [(0, 10.0), (7, 3.0), (1000, 1.0)])
def test_work_has_the_whole_grace_and_sessions_what_is_left_of_it(takes: float, left: float) -> None:
    async def stopped() -> None:
        store, worker = Store(), Stopping(taking(takes))
        async with pumping(store, worker) as pump:
            store.put("work", 1)
            await until(lambda: len(worker.begun) == 1)
            await drain(cast("Any", worker), pump, timedelta(seconds=10))
            assert len(store.completed) == (takes < 10)
            assert len(store.abandoned) == (takes > 10)
            assert worker.drained == pytest.approx(left, abs=0.1)

    run(stopped)
