"""Counts of storage calls, which may fail a build: they do not depend on the machine."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from benchmarks import calls, purging
from benchmarks.counting import Counts
from benchmarks.workloads import SCALES


@pytest.fixture(scope="module")
def tallies(azurite: str) -> list[calls.Tally]:
    return asyncio.run(calls.count_all(azurite, "CountedHub"))


def _calls(tallies: list[calls.Tally], scenario: str) -> dict[str, int]:
    return next(dict(tally.calls) for tally in tallies if tally.scenario == scenario)


@pytest.mark.azurite
def test_no_bar_is_broken(tallies: list[calls.Tally]) -> None:
    assert calls.bars_of(tallies)
    assert [bar for bar in calls.bars_of(tallies) if bar.is_broken] == []


@pytest.mark.azurite
def test_an_empty_orchestration_is_five_calls(tallies: list[calls.Tally]) -> None:
    assert _calls(tallies, calls.HELLO) == {
        "insert_entity Instances": 1,
        "put_message control": 1,
        "insert_entity History": 1,
        "replace_entity Instances": 1,
        "delete_message control": 1,
    }


@pytest.mark.azurite
def test_a_step_in_a_session_is_one_insert(tallies: list[calls.Tally]) -> None:
    short, long = _calls(tallies, calls.CHAIN), _calls(tallies, calls.LONGER_CHAIN)
    assert {verb: long[verb] - count for verb, count in short.items() if long[verb] != count} == {
        "insert_entity History": 5
    }
    assert short.keys() == long.keys()


@pytest.mark.azurite
def test_a_purge_is_five_calls(tallies: list[calls.Tally]) -> None:
    kept, purged = _calls(tallies, calls.CHAIN), _calls(tallies, calls.PURGED)
    assert {verb: count - kept.get(verb, 0) for verb, count in purged.items() if count != kept.get(verb, 0)} == {
        "read_entity Instances": 1,
        "query_entities History": 1,
        "put_entity History": 1,
        "change_entities History": 1,
        "delete_entity Instances": 1,
    }


@pytest.mark.azurite
def test_purges_of_many_are_no_more_than_five_calls_each(azurite: str) -> None:
    seconds, of_one = purging.figures(azurite, SCALES["small"])
    assert "15 chains" in seconds.what
    assert of_one.value <= purging.MOST_CALLS == of_one.most


@pytest.mark.azurite
def test_a_call_of_an_entity_is_its_commit_and_that_of_the_caller(tallies: list[calls.Tally]) -> None:
    few, many = _calls(tallies, calls.ENTITY), _calls(tallies, calls.LONGER_ENTITY)
    assert many["insert_entity History"] - few["insert_entity History"] == 10
    assert many.keys() == few.keys()


@pytest.mark.azurite
def test_work_for_a_queue_is_gathered(tallies: list[calls.Tally]) -> None:
    # 500 items and their results; one message each would be a thousand puts and as many deletes (S7).
    assert sum(_calls(tallies, "fan-out queue").values()) < 100
    assert sum(_calls(tallies, "fan-out local").values()) < 40


@pytest.mark.azurite
def test_the_table_has_every_verb_and_the_polls_apart(tallies: list[calls.Tally]) -> None:
    text = calls.table(tallies)
    assert "insert_entity History" in text
    assert "get_messages" not in text
    assert "polls, empty or not" in text


@pytest.mark.azurite
def test_a_bar_can_break(tallies: list[calls.Tally]) -> None:
    worse = [replace(tally, calls={**tally.calls, "read_entity Instances": 1}) for tally in tallies]
    broken = [bar.what for bar in calls.bars_of(worse) if bar.is_broken]
    assert broken == ["hello, all calls"]
    assert calls.verdict(calls.bars_of(worse)).count("BROKEN") == 1


def test_polls_are_counted_apart() -> None:
    counts = Counts()
    counts.add("get_messages", "hub-control-00")
    counts.add("get_messages", "hub-workitems")
    counts.add("put_message", "hub-control-03")
    assert counts.polls == 2
    assert counts.calls == {"put_message control": 1}
    counts.clear()
    assert (counts.polls, counts.calls) == (0, {})
