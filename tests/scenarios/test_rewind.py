"""Rewind: a failed instance goes on from before its failure; what succeeded is not repeated."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest

from durable_ext.errors import InstanceNotFoundError, InstanceStateError
from durable_ext.records.events import ExecutionRewound
from durable_ext.records.instance import RuntimeStatus
from durable_ext.worker.client import Client
from durable_ext.worker.client.rewinds import rewound_row

from .engine import make_process
from .hub import Hub, run
from .rewinding import COUNTER, outside, registry

_LONG = timedelta(minutes=20)


async def _fails(client: Client, name: str, value: Any, *, instance_id: str = "x") -> None:
    await client.start(name, value, instance_id=instance_id)
    status = await client.wait_for_completion(instance_id, _LONG)
    assert status.runtime_status is RuntimeStatus.FAILED, status.output


async def _output_after_rewind(client: Client, instance_id: str = "x") -> Any:
    await client.rewind(instance_id, "mended")
    status = await client.wait_for_completion(instance_id, _LONG)
    assert status.runtime_status is RuntimeStatus.COMPLETED, status.failure
    return status.output


CASES: Sequence[tuple[str, Any, Sequence[str], Any, Sequence[str]]] = (
    ("line", ["a", "b", "c"], ["b"], ["a", "b", "c"], ["b", "c"]),
    ("all_at_once", ["a", "b", "c"], ["a", "c"], ["a", "b", "c"], ["a", "c"]),
    ("patient", "b", ["b"], ["first", "b"], ["b"]),
    ("compensating", "b", ["b"], "b", ["b"]),
    ("dealing", "b", ["b", "second"], ["instead", "second"], ["second"]),
    ("going_on", "b", ["b", "second"], ["nothing", "second"], ["second"]),
    ("mother", "b", ["b"], [["fine"], ["before", "b"]], ["b"]),
    ("grandmother", "b", ["b"], [["fine"], ["before", "b"]], ["b"]),
    ("careless", "b", ["b"], "first", []),
)


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize(("name", "value", "broken", "output", "again"), CASES, ids=[case[0] for case in CASES])
def test_what_failed_runs_again(
    name: str, value: Any, broken: Sequence[str], output: Any, again: Sequence[str], doubled: bool
) -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry(), doubled=doubled)
        process.start()
        outside.breaks(*broken)
        await _fails(process.client, name, value)
        outside.breaks()
        assert await _output_after_rewind(process.client) == output
        # A message that comes twice may run an activity twice.
        runs = set(outside.runs) if doubled else outside.runs
        assert sorted(runs) == sorted(again)
        await hub.check("x")

    run(test)


@pytest.mark.parametrize(("name", "output", "state"), [("calling", [1, "b", 3], 3), ("locking", [2, "b", 3], 3)])
def test_entities_are_not_asked_again_but_under_a_lock(name: str, output: Any, state: int) -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b")
        await _fails(process.client, name, "b")
        outside.breaks()
        assert await _output_after_rewind(process.client) == output
        found = await process.client.read_entity(COUNTER)
        assert found is not None
        assert found.state == state
        assert not found.locked_by

    run(test)


def test_rewinding_twice_and_more() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b", "c")
        await _fails(process.client, "mother", "c")
        for _ in range(2):
            await process.client.rewind("x")
            assert (await process.client.wait_for_completion("x", _LONG)).runtime_status is RuntimeStatus.FAILED
        outside.breaks()
        assert await _output_after_rewind(process.client) == [["fine"], ["before", "c"]]
        assert outside.runs == ["c"]

    run(test)


def test_what_the_code_was_given_stays_as_it_was() -> None:
    """Events stay consumed, ids derived from the execution stay the same, the custom status is there."""

    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b")
        await process.client.start("told", "b", instance_id="x")
        await process.client.raise_event("x", "word", "hello", message_id="m")
        failed = await process.client.wait_for_completion("x", _LONG)
        assert failed.runtime_status is RuntimeStatus.FAILED
        outside.breaks()
        assert await _output_after_rewind(process.client) == ["hello", failed.custom_status, "b"]
        row = await hub.row("x")
        assert row.custom_status is not None
        assert row.execution.generation == 1
        assert row.rewinds is None
        turns = await process.client.history("x")
        assert isinstance(turns[0].events[1], ExecutionRewound)
        assert turns[0].events[1].reason == "mended"

    run(test)


def test_only_failed_instances_are_rewound() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        outside.breaks()
        with pytest.raises(InstanceNotFoundError):
            await process.client.rewind("nobody")
        await process.client.start("line", ["a"], instance_id="x")
        with pytest.raises(InstanceStateError, match="Pending"):
            await process.client.rewind("x")
        process.start()
        await process.client.wait_for_completion("x", _LONG)
        with pytest.raises(InstanceStateError, match="Completed"):
            await process.client.rewind("x")

    run(test)


def test_of_two_rewinds_at_once_one_wins() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b")
        await _fails(process.client, "line", ["a", "b"])
        outside.breaks()
        await process.client.rewind("x")
        with pytest.raises(InstanceStateError):
            await process.client.rewind("x")
        assert (await process.client.wait_for_completion("x", _LONG)).output == ["a", "b"]
        assert outside.runs == ["b"]

    run(test)


def test_a_failed_child_that_was_purged_is_started_anew() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b")
        await _fails(process.client, "mother", "b")
        assert await process.client.purge("kid")
        outside.breaks()
        assert await _output_after_rewind(process.client) == [["fine"], ["before", "b"]]
        assert outside.runs == ["before", "b"]

    run(test)


@pytest.mark.parametrize("ended_before", [True, False])
def test_a_child_that_did_not_fail_reports_to_the_new_execution(ended_before: bool) -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b")
        await _fails(process.client, "uneven", "b")
        outside.breaks()
        if ended_before:
            await process.client.raise_event("slow", "go", "gone")
            await process.client.wait_for_completion("slow", _LONG)
        await process.client.rewind("x")
        await process.client.wait_for_completion("kid", _LONG)
        if not ended_before:
            await hub.clock.sleep(30)
            await process.client.raise_event("slow", "go", "gone")
        status = await process.client.wait_for_completion("x", _LONG)
        assert status.output == ["gone", ["b"]]

    run(test)


def test_a_rewind_that_was_never_sent_is_sent_by_the_janitor() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        outside.breaks("b")
        process.start()
        await _fails(process.client, "line", ["a", "b"])
        outside.breaks()
        stored = await hub.store.read_row("x")
        assert stored is not None
        await hub.store.create_row(rewound_row(stored.row, "", hub.clock()), replacing=stored.etag)
        assert (await process.client.wait_for_completion("x", _LONG)).output == ["a", "b"]
        assert outside.runs == ["b"]

    run(test)


def test_a_rewound_child_does_not_trouble_a_parent_that_has_ended() -> None:
    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b")
        await _fails(process.client, "mother", "b")
        outside.breaks()
        assert await _output_after_rewind(process.client, "kid") == ["before", "b"]
        assert await hub.status("x") is RuntimeStatus.FAILED
        assert await _output_after_rewind(process.client) == [["fine"], ["before", "b"]]
        assert outside.runs == ["b"]

    run(test)


def test_time_goes_on_where_the_failed_execution_ended() -> None:
    """Another process takes the rewind up, whose clock is behind."""

    async def test(hub: Hub) -> None:
        first = make_process(hub.store, registry(), lambda: hub.clock() + timedelta(hours=1))
        second = hub.process(registry())
        first.start()
        outside.breaks("b")
        await _fails(first.client, "line", ["a", "b"])
        await first.kill()
        outside.breaks()
        second.start()
        failed = (await second.client.history("x"))[-1].time
        assert await _output_after_rewind(second.client) == ["a", "b"]
        turns = await second.client.history("x")
        assert failed > hub.clock()
        assert [turn.time for turn in turns] == [failed] * len(turns)

    run(test)


def test_a_rewind_in_the_middle_of_a_purge_fails() -> None:
    """The row was replaced when history was gone already, and the purge then left it alone (P10)."""

    async def test(hub: Hub) -> None:
        process = hub.process(registry())
        process.start()
        outside.breaks("b")
        await _fails(process.client, "line", ["a", "b"])
        stored = await hub.store.read_row("x")
        assert stored is not None
        assert await process.client.purge("x")
        await hub.store.create_row(rewound_row(stored.row, "", hub.clock()), replacing=None)
        status = await process.client.wait_for_completion("x", _LONG)
        assert status.failure is not None
        assert status.failure.type == "durable_ext.errors.InstanceStateError"
        assert "is gone: it was purged; start the instance anew" in status.failure.message
        await hub.check("x")
        assert await process.client.purge("x")
        outside.breaks()
        await process.client.start("line", ["a", "b"], instance_id="x")
        assert (await process.client.wait_for_completion("x", _LONG)).output == ["a", "b"]

    run(test)
