"""The commands on a SQLite file: what they print, what they do, and their exit codes (docs/cli.md)."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from durable_ext.host.cli import main
from durable_ext.host.exit_codes import ExitCode
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.records.instance import Stuck
from durable_ext.records.messages import Quarantined
from durable_ext.records.payloads import inline
from durable_ext.records.progress import Report

from .command_line import Hub
from .virtual import START


def test_start_prints_the_id(hub: Hub) -> None:
    assert hub.ok("start", "doubled", "--id", "a", "--input", "21") == "a\n"
    assert len(hub.json("start", "doubled")["instanceId"]) == 32
    status = hub.json("status", "a")
    assert (status["name"], status["runtimeStatus"], status["input"]) == ("doubled", "Pending", 21)


def test_start_takes_its_input_from_a_file_or_standard_input(
    hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "input.json").write_text('{"größe": 1}', encoding="utf-8")
    hub.ok("start", "doubled", "--id", "a", "--input-file", "input.json")
    assert hub.json("status", "a")["input"] == {"größe": 1}
    monkeypatch.setattr(sys, "stdin", io.StringIO("[1]"))
    hub.ok("start", "doubled", "--id", "b", "--input-file", "-")
    assert hub.json("status", "b")["input"] == [1]


def test_start_and_wait(hub: Hub) -> None:
    with hub.serving():
        code, output = hub.run("start", "doubled", "--input", "21", "--wait", "20")
        assert code == ExitCode.OK
        assert "Completed" in output
        assert "42" in output
        code, output = hub.run("start", "fails", "--wait", "20", "--json")
        assert code == ExitCode.INSTANCE_FAILED
        assert json.loads(output)["failure"]["message"] == "on purpose"


def test_waiting_has_an_end(hub: Hub) -> None:
    code, _ = hub.run("start", "waits", "--id", "a", "--wait", "0.1")
    assert code == ExitCode.TIMED_OUT
    assert "0.1 seconds" in hub.errors


def test_an_id_that_is_taken(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a")
    assert hub.run("start", "waits", "--id", "a")[0] == ExitCode.WRONG_STATE
    assert hub.errors.startswith("durable: ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("start", "doubled", "--input", "no json"),
        ("start", "doubled", "--input-file", "missing.json"),
        ("start", "doubled", "--input", "1", "--input-file", "x"),
        ("start", "doubled", "--id", "a/b"),
        ("start", ""),
        ("start",),
        ("nonsense",),
        ("list", "--status", "Nonsense"),
        ("list", "--created-from", "yesterday"),
        ("list", "--top", "0"),
        ("purge",),
        ("purge", "a", "--status", "Completed"),
        ("purge", "--status", "Running"),
    ],
)
def test_wrong_command_lines(hub: Hub, arguments: tuple[str, ...]) -> None:
    hub.ok("start", "waits")
    assert hub.run(*arguments)[0] == ExitCode.USAGE


_OF_ONE = (
    ("status", "x"),
    ("history", "x"),
    ("raise", "x", "go"),
    ("terminate", "x"),
    ("suspend", "x"),
    ("resume", "x"),
    ("restart", "x"),
    ("purge", "x"),
    ("quarantine", "show", "x"),
    ("quarantine", "replay", "x"),
    ("quarantine", "delete", "x"),
    ("wait", "x"),
    ("wait", "x", "--event", "go"),
    ("wait", "x", "--value", "key"),
    ("status", "x", "--follow"),
    ("executions", "x"),
    ("values", "x"),
    ("entity", "show", "@counter@x"),
    ("schedule", "show", "x"),
    ("schedule", "pause", "x"),
    ("schedule", "delete", "x"),
)


_OF_NONE = (
    ("list",),
    ("count",),
    ("start", "waits"),
    ("purge", "--status", "Completed"),
    ("quarantine", "list"),
    ("entity", "list"),
    ("entity", "signal", "@counter@x", "add"),
    ("schedule", "list"),
    ("export", "--to", "out"),
)


@pytest.mark.parametrize("arguments", [*_OF_ONE, *_OF_NONE])
def test_no_command_creates_a_hub(hub: Hub, arguments: tuple[str, ...]) -> None:
    """Neither where there is no file, nor in a file that holds none."""
    hub.file.unlink()
    assert hub.run(*arguments)[0] == ExitCode.NOT_FOUND
    assert "durable hub create" in hub.errors
    assert not hub.file.exists()
    hub.file.touch()
    assert hub.run(*arguments)[0] == ExitCode.NOT_FOUND
    assert "durable hub create" in hub.errors


def test_one_command_creates_a_hub(hub: Hub) -> None:
    hub.file.unlink()
    assert hub.json("hub", "create")["storage"] == f"SQLite, {hub.file}"
    assert hub.json("list") == []
    assert "There is a task hub" in hub.ok("hub", "create"), "a second time is no error"


@pytest.mark.azurite
def test_a_wrong_name_of_a_hub_creates_nothing_in_an_account(
    azurite: str, monkeypatch: pytest.MonkeyPatch, hub: Hub, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", azurite)
    for arguments in (("list",), ("start", "waits"), ("status", "x")):
        assert main([*arguments, "--storage", "azure", "--hub", "Typo"]) == ExitCode.NOT_FOUND
        assert "no task hub 'Typo'" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", _OF_ONE)
def test_what_is_not_there(hub: Hub, arguments: tuple[str, ...]) -> None:
    hub.ok("start", "waits")
    assert hub.run(*arguments)[0] == ExitCode.NOT_FOUND
    assert "x" in hub.errors


def test_status_for_people(hub: Hub) -> None:
    instance_id = hub.ended("doubled", "--input", "4")
    lines = dict(line.split(maxsplit=1) for line in hub.ok("status", instance_id).splitlines())
    assert lines["runtimeStatus"] == "Completed"
    assert (lines["output"], lines["customStatus"]) == ("8", "doubling")


def test_status_shows_what_activities_said_last(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a")
    said = Report(instance_id="a", work_item="w", task_id=3, name="load", time=START, value=inline(b"7"))
    asyncio.run(hub.with_store(lambda store: store.write_progress(said)))
    (shown,) = hub.json("status", "a")["activityProgress"]
    assert f"load (3): 7 at {shown['time']}" in hub.ok("status", "a")


def test_the_traceback_of_a_failure_is_shown(hub: Hub) -> None:
    instance_id = hub.ended("fails")
    output = hub.ok("status", instance_id)
    assert "ValueError: on purpose" in output
    assert "command_line.py" in output


def test_list(hub: Hub) -> None:
    done = hub.ended("doubled", "--id", "b-1", "--input", "1")
    for name in ("a-2", "a-1"):
        hub.ok("start", "waits", "--id", name)
    assert [one["instanceId"] for one in hub.json("list")] == ["a-1", "a-2", "b-1"]
    assert [one["instanceId"] for one in hub.json("list", "--prefix", "a-")] == ["a-1", "a-2"]
    assert [one["instanceId"] for one in hub.json("list", "--name", "doubled")] == [done]
    assert [one["instanceId"] for one in hub.json("list", "--status", "completed", "--status", "Failed")] == [done]
    assert hub.json("list", "--created-from", "2100-01-01") == []
    assert len(hub.json("list", "--created-from", "2000-01-01T00:00:00+02:00", "--created-to", "2100-01-01")) == 3
    titles, *rows = hub.ok("list", "--top", "2").splitlines()
    assert titles.split() == ["ID", "NAME", "STATUS", "CREATED", "UPDATED"]
    assert [row.split()[:3] for row in rows] == [["a-1", "waits", "Pending"], ["a-2", "waits", "Pending"]]
    assert "--top" in hub.errors


def test_history(hub: Hub) -> None:
    instance_id = hub.ended("doubled", "--input", "4")
    turns = hub.json("history", instance_id)
    events = [event for turn in turns for event in turn["events"]]
    assert [event["type"] for event in events] == [
        "ExecutionStarted",
        "CustomStatusSet",
        "TaskScheduled",
        "TaskCompleted",
        "ExecutionCompleted",
    ]
    assert (events[2]["input"], events[3]["result"]) == (4, 8)
    lines = hub.ok("history", instance_id).splitlines()
    assert len(lines) == 1 + len(events)
    assert "name=double input=4" in lines[3]


def test_history_of_one_that_has_not_begun_is_empty(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a")
    assert hub.json("history", "a") == []


def test_raise_suspend_resume_terminate(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a")
    hub.ok("start", "waits", "--id", "b")
    assert "raised" in hub.ok("raise", "a", "go", "--data", '{"x": 1}')
    assert hub.json("suspend", "a", "--reason", "lunch") == {"instanceId": "a"}
    hub.ok("resume", "a")
    hub.ok("terminate", "b", "--reason", "enough", "--output", '{"of": 3}')
    with hub.serving():
        assert hub.run("start", "waits", "--id", "c", "--wait", "0.2")[0] == ExitCode.TIMED_OUT
        until_ended(hub, "a", "b")
    assert hub.json("status", "a")["output"] == {"x": 1}
    assert hub.json("status", "b")["runtimeStatus"] == "Terminated"
    assert hub.json("status", "b")["output"] == {"of": 3}
    for command in (("raise", "a", "go"), ("suspend", "a"), ("resume", "a"), ("terminate", "b")):
        assert hub.run(*command)[0] == ExitCode.WRONG_STATE


def until_ended(hub: Hub, *ids: str) -> None:
    nobody = threading.Event()
    for _ in range(200):
        if all(hub.json("status", one)["runtimeStatus"] in ("Completed", "Terminated") for one in ids):
            return
        nobody.wait(0.05)
    raise AssertionError(f"{ids} have not ended")


def test_restart(hub: Hub) -> None:
    hub.ended("doubled", "--id", "a", "--input", "4")
    new = hub.json("restart", "a")["instanceId"]
    assert new != "a"
    assert hub.json("status", new)["input"] == 4
    assert hub.ok("restart", "a", "--same-id") == "a\n"
    assert hub.run("restart", "a", "--same-id")[0] == ExitCode.WRONG_STATE


def test_rewind_and_count(hub: Hub) -> None:
    hub.ended("fails", "--id", "a")
    hub.ended("doubled", "--id", "b", "--input", "4")
    assert hub.json("count") == {"Completed": 1, "Failed": 1}
    assert hub.json("count", "--prefix", "b", "--completed-from", "2020-01-01") == {"Completed": 1}
    assert hub.json("rewind", "a", "--reason", "mended") == {"instanceId": "a"}
    assert hub.json("status", "a")["runtimeStatus"] == "Pending"
    assert hub.run("rewind", "b")[0] == ExitCode.WRONG_STATE
    assert "Pending" in hub.ok("count")


def test_purge(hub: Hub) -> None:
    hub.ended("doubled", "--id", "a", "--input", "1")
    hub.ended("fails", "--id", "b")
    hub.ok("start", "waits", "--id", "c")
    assert hub.run("purge", "c")[0] == ExitCode.WRONG_STATE
    assert hub.ok("purge", "a") == "1 purged\n"
    assert hub.json("purge", "--status", "Failed", "--created-from", "2000-01-01") == {"instancesDeleted": 1}
    assert [one["instanceId"] for one in hub.json("list")] == ["c"]


def test_purge_by_force(hub: Hub) -> None:
    """No host runs; what was started for later, and what nobody has begun, are both Pending."""
    for instance_id in ("a", "b"):
        hub.ok("start", "waits", "--id", instance_id)
    assert hub.run("purge", "a")[0] == ExitCode.WRONG_STATE
    assert "or purge it by force" in hub.errors
    assert hub.ok("purge", "a", "--force") == "1 purged: it was Pending, and was terminated; told: nobody\n"
    answer = hub.json("purge", "b", "--force")
    assert (answer["instancesDeleted"], answer["forced"]) == (1, {"was": "Pending", "damage": "", "told": []})
    assert hub.run("purge", "b", "--force")[0] == ExitCode.NOT_FOUND
    assert hub.run("purge", "--status", "Failed", "--force")[0] == ExitCode.USAGE
    hub.ended("doubled", "--id", "c", "--input", "1")
    assert hub.ok("purge", "c", "--force") == "1 purged: it was Completed; told: nobody\n"


def test_what_is_stuck(hub: Hub) -> None:
    """Shown, marked in lists, and a filter."""

    async def stick(store: SqliteProvider) -> None:
        stored = await store.read_row("a")
        assert stored is not None
        stuck = Stuck(since=START, reason="it parts from its history", message_id="m")
        await store.update_row(msgspec.structs.replace(stored.row, stuck=stuck), stored.etag)

    for instance_id in ("a", "b"):
        hub.ok("start", "waits", "--id", instance_id)
    asyncio.run(hub.with_store(stick))
    assert hub.json("status", "a")["stuck"] == {
        "since": "2030-01-01T00:00:00.000Z",
        "reason": "it parts from its history",
        "messageId": "m",
    }
    assert hub.json("status", "b")["stuck"] is None
    shown = hub.ok("status", "a")
    assert "stuckSince         2030-01-01T00:00:00.000Z\n" in shown
    assert "stuckOn            message m in quarantine: it parts from its history\n" in shown
    assert "Pending, stuck" in hub.ok("list")
    assert [one["instanceId"] for one in hub.json("list", "--stuck")] == ["a"]
    assert hub.json("count", "--stuck") == {"Pending": 1}


def test_quarantine(hub: Hub) -> None:
    def kept(number: int) -> Quarantined:
        return Quarantined(
            id=f"q{number}",
            queue="control-0",
            body="nonsense",
            reason="it cannot be read",
            instance_id="a",
            dequeue_count=6,
            time=START + timedelta(minutes=number),
        )

    async def keep(store: SqliteProvider) -> None:
        await store.quarantine(kept(1))
        await store.quarantine(kept(2))

    asyncio.run(hub.with_store(keep))
    assert [one["id"] for one in hub.json("quarantine", "list")] == ["q1", "q2"]
    assert "it cannot be read" in hub.ok("quarantine", "list")
    assert hub.json("quarantine", "show", "q1")["body"] == "nonsense"
    assert "nonsense" in hub.ok("quarantine", "show", "q1")
    assert hub.json("quarantine", "replay", "q1") == {"id": "q1", "replayed": True}
    assert "deleted" in hub.ok("quarantine", "delete", "q2")
    assert hub.json("quarantine", "list") == []


def test_a_hub_with_other_partitions(hub: Hub) -> None:
    hub.ok("start", "waits")
    assert hub.run("list", "--partitions", "7")[0] == ExitCode.FAILURE
    assert "partition" in hub.errors


def test_storage_that_does_not_answer(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    endpoints = "".join(f"{kind}Endpoint=http://127.0.0.1:1/x;" for kind in ("Blob", "Queue", "Table"))
    monkeypatch.setenv("AzureWebJobsStorage", f"AccountName=x;AccountKey=c2VjcmV0;{endpoints}")
    assert main(["list", "--storage", "azure"]) == ExitCode.NO_STORAGE


def test_a_secret_is_not_shown(hub: Hub, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("AzureWebJobsStorage", "AccountName=x;AccountKey=secret-that-is-no-base64;")
    assert main(["list", "--storage", "azure"]) == ExitCode.FAILURE
    assert "secret-that" not in capsys.readouterr().err


def test_a_command_that_is_interrupted(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("durable_ext.host.cli.options.chosen_storage", interrupt)
    assert hub.run("list")[0] == ExitCode.INTERRUPTED
