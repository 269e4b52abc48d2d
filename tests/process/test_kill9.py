"""A host that is killed at any moment, ten times: every order ends right, and no activity has two outcomes (P2, P6).

The kills wait until orders are accepted: a start whose process dies between row and message is sent again by the
janitor after a minute or two (P9), which would make this test as slow.
"""

from __future__ import annotations

import os
import random
import secrets
from collections.abc import Mapping
from pathlib import Path

import pytest

from .hosts import Host
from .orders import Customer, faults

# The sample's orders with activities that take their time, so that most kills fall into one.
APP = """
import time
from durable_ext.functions import DurableApp
from examples.order_approval import bp
from examples.shop import SHOP

def slowed(book):
    def slow(*values):
        time.sleep(0.05)
        return book(*values)
    return slow

for name in ("reserve", "charge", "ship"):
    setattr(SHOP, name, slowed(getattr(SHOP, name)))
app = DurableApp()
app.register_functions(bp)
"""

ORDERS = 20
KILLS = 10
LEASE = "2"
LONGEST = 60


def survives(folder: Path, environ: Mapping[str, str]) -> None:
    seed = int(os.environ.get("DURABLE_EXT_SEED", "") or secrets.randbelow(1 << 32))
    print(f"seed {seed}; DURABLE_EXT_SEED={seed} runs it again")  # noqa: T201 - shown when the test fails
    chance = random.Random(seed)  # noqa: S311 - no secret
    orders = [f"order-{number:02}" for number in range(ORDERS)]
    (folder / "function_app.py").write_text(APP)
    with Host(folder, "--lease", LEASE, app=folder / "function_app.py", environ=environ) as host:
        host.start_and_wait()
        customer = Customer(host)
        customer.start()
        try:
            for number in range(KILLS):
                customer.order(orders[number::KILLS])
                customer.wait_until_accepted()
                assert host.runs_for(chance.uniform(0.0, 0.3)), host.output()
                host.kill()
                host.start_and_wait()
            customer.wait_until_done(LONGEST)
        finally:
            customer.stop()
        host.interrupt()
        assert host.ends() == 0
    print(host.output())  # noqa: T201 - the same
    assert faults(orders, environ) == []


@pytest.mark.process
def test_on_sqlite(tmp_path: Path, hub: str) -> None:
    survives(tmp_path, {"DURABLE_STORAGE": f"sqlite:{tmp_path / 'hub.sqlite'}", "DURABLE_HUB": hub})


@pytest.mark.process
@pytest.mark.azurite
def test_on_azurite(tmp_path: Path, hub: str, azurite: str) -> None:
    survives(tmp_path, {"DURABLE_STORAGE": "azure", "DURABLE_HUB": hub, "AzureWebJobsStorage": azurite})
