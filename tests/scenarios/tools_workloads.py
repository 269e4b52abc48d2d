"""Scenarios around an app: recurring schedules, exports, encrypted payloads (T3)."""

from __future__ import annotations

import gzip
from collections.abc import Awaitable, Callable
from datetime import timedelta

import msgspec

from durable_ext.authoring.context import OrchestrationContext
from durable_ext.authoring.encryption import EncryptedConverter
from durable_ext.authoring.registry import Registry
from durable_ext.errors import ScheduleExistsError, ScheduleNotFoundError
from durable_ext.host.export import CHECKPOINT, export_histories
from durable_ext.providers.contract import InstanceFilter
from durable_ext.testing.histories import History, check_history
from durable_ext.testing.scenario import Played, Scenario
from durable_ext.testing.virtual_time import START
from durable_ext.worker.client import Client
from durable_ext.worker.client.schedules import ScheduleClient

from . import orchestrations
from .ciphers import Mirrored

_ID = "it"
_LONG = timedelta(minutes=30)
_RUNS = 3


async def tell_it(ctx: OrchestrationContext) -> None:
    """What the schedule starts: it tells the instance of the scenario."""
    ctx.send_event(_ID, "tick", await ctx.call_activity(orchestrations.add_one, 0))


def registry() -> Registry:
    names = orchestrations.registry()
    names.add_orchestrator(tell_it)
    return names


async def _patiently(verb: Callable[[], Awaitable[object]]) -> None:
    """A schedule answers within a minute, unless its process has just died."""
    for _ in range(10):
        try:
            await verb()
        except TimeoutError:
            continue
        except (ScheduleExistsError, ScheduleNotFoundError):
            return  # the call before was answered too late
        else:
            return
    raise AssertionError("the schedule never answered")


async def _on_schedule(client: Client) -> None:
    """Three runs, however late; then there are no more."""
    schedules = ScheduleClient(client)
    every = timedelta(minutes=1)
    await _patiently(lambda: schedules.create("r", tell_it, every, missed="all", start_at=START))
    await client.wait_for_completion(_ID, _LONG)
    await _patiently(lambda: schedules.delete("r"))


class _Shelf:
    """A place for exports, in memory."""

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    async def read(self, name: str) -> bytes | None:
        return self.files.get(name)

    async def write(self, name: str, data: bytes) -> None:
        self.files[name] = data

    def histories(self) -> list[History]:
        """All that was exported."""
        lines = [
            line
            for name, data in sorted(self.files.items())
            if name != CHECKPOINT
            for line in gzip.decompress(data).splitlines()
        ]
        return [msgspec.json.decode(line, type=History) for line in lines]


async def _export(client: Client) -> None:
    """While it runs, as far as it is; and whole, when it is over. What is in the files replays."""
    early, whole = _Shelf(), _Shelf()
    await export_histories(client, early)
    await client.wait_for_completion(_ID, _LONG)
    report = await export_histories(client, whole, InstanceFilter(id_prefix=_ID), chunk=1)
    found = whole.histories()
    assert [history.execution.generation for history in found] == [2, 1, 0], found
    assert (report.instances, report.executions, report.finished) == (1, 3, True)
    for history in (*found, *early.histories()):
        error = check_history(orchestrations.registry(), history).error
        assert error is None, error


def _hidden(played: Played) -> None:
    """What events and activities said is nowhere in history to be read."""
    assert b"confidential" not in msgspec.json.encode(played.history)


_sealed = EncryptedConverter(Mirrored())

TOOLS: dict[str, Scenario] = {
    "on a schedule": Scenario(
        registry=registry(), orchestrator="in_order", input=_RUNS, then=_on_schedule, expect=["1"] * _RUNS
    ),
    "exported": Scenario(
        registry=orchestrations.registry(),
        orchestrator="eternal",
        input=[],
        events=tuple(("tick", letter) for letter in "abc"),
        then=_export,
        expect=["a", "b", "c"],
    ),
    "encrypted": Scenario(
        registry=orchestrations.registry(_sealed),
        orchestrator="eternal",
        input=[],
        events=tuple(("tick", f"confidential {letter}") for letter in "abc"),
        expect=[f"confidential {letter}" for letter in "abc"],
        check=_hidden,
    ),
    "encrypted failures": Scenario(
        registry=orchestrations.registry(_sealed),
        orchestrator="catching",
        input="confidential",
        expect=["confidential", "confidential"],
        check=_hidden,
    ),
}
