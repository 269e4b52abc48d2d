"""The commands beyond the plainest: starts, waits, filters, purges, entities, schedules (docs/cli.md)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from durable_ext.host.exit_codes import ExitCode
from durable_ext.providers.contract import VersionedRow
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.worker.client import Client, schedules
from durable_ext.worker.client.schedules import ScheduleClient

from .command_line import Hub
from .test_docs import parsers

APP = """
from durable_ext import DurableApp, EncryptedConverter, OrchestrationContext

class Reversed:
    def encrypt(self, data): return "k", data[::-1]
    def decrypt(self, key, data): return data[::-1]

app = DurableApp(default_version="2.0")

@app.orchestrator
async def known(ctx: OrchestrationContext) -> None:
    pass
"""


def read(hub: Hub, instance_id: str) -> VersionedRow:
    async def use(store: SqliteProvider) -> Any:
        return await store.read_row(instance_id)

    found = asyncio.run(hub.with_store(use))
    assert found is not None
    return found


def until(ready: Callable[[], bool]) -> None:
    nobody = threading.Event()
    for _ in range(200):
        if ready():
            return
        nobody.wait(0.05)
    raise AssertionError("it never happened")


# start


def test_start_with_version_tags_and_time(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a", "--version", "1.2", "--tag", "team=a", "--tag", "note=x=y", "--in", "1d12h")
    status = hub.json("status", "a")
    assert (status["version"], status["tags"]) == ("1.2", {"team": "a", "note": "x=y"})
    later = datetime.fromisoformat(status["scheduledStartTime"]) - datetime.now(UTC)
    assert timedelta(hours=35) < later <= timedelta(hours=36)
    hub.ok("start", "waits", "--id", "b", "--at", "2100-01-31T12:00:00+02:00")
    assert hub.json("status", "b")["scheduledStartTime"] == "2100-01-31T10:00:00.000Z"
    assert "2100-01-31" in hub.ok("status", "b")


def test_start_under_an_id_that_is_taken(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a")
    for refused in ((), ("--replace", "none"), ("--replace", "ended"), ("--replace", "running")):
        assert hub.run("start", "doubled", "--id", "a", *refused)[0] == ExitCode.WRONG_STATE
    hub.ok("start", "doubled", "--id", "a", "--replace", "running", "--replace", "pending")
    assert read(hub, "a").row.name == "doubled"
    hub.ok("start", "fails", "--id", "a", "--replace", "any")
    assert read(hub, "a").row.execution.generation == 2
    hub.ended("doubled", "--id", "over", "--input", "1")
    assert hub.run("start", "doubled", "--id", "over", "--replace", "none")[0] == ExitCode.WRONG_STATE


def test_start_with_a_first_event(hub: Hub) -> None:
    with hub.serving():
        code, output = hub.run("start", "waits", "--event", "go", "--event-data", '{"x": 1}', "--wait", "20", "--json")
    assert (code, json.loads(output)["output"]) == (ExitCode.OK, {"x": 1})


def test_a_loaded_app_says_versions_names_and_keys(hub: Hub, tmp_path: Path) -> None:
    (tmp_path / "versioned_app.py").write_text(APP)
    app = ("--load-app", "--app", "versioned_app.py")
    hub.ok("start", "known", "--id", "a", *app)
    hub.ok("start", "known", "--id", "b")
    assert (read(hub, "a").row.version, read(hub, "b").row.version) == ("2.0", None)
    assert hub.run("start", "unknown", *app)[0] == ExitCode.FAILURE
    (tmp_path / "closed_app.py").write_text(
        APP.replace('default_version="2.0"', "converter=EncryptedConverter(Reversed())")
    )
    app = ("--load-app", "--app", "closed_app.py")
    hub.ok("start", "known", "--id", "c", "--input", '"confidential"', *app)
    payload = read(hub, "c").row.input
    assert payload is not None
    assert b"confidential" not in payload.data
    assert hub.json("status", "c", *app)["input"] == "confidential"
    assert "$encrypted" in hub.json("status", "c")["input"]


# wait and look


def test_wait(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a")
    assert hub.run("wait", "a", "--timeout", "0.1")[0] == ExitCode.TIMED_OUT
    assert "0.1 seconds" in hub.errors
    assert hub.run("wait", "a", "--start", "--timeout", "0.1")[0] == ExitCode.TIMED_OUT
    with hub.serving():
        assert hub.json("wait", "a", "--start", "--timeout", "20")["runtimeStatus"] == "Running"
        hub.ok("raise", "a", "go", "--data", "[1]")
        assert hub.ok("wait", "a", "--event", "go") == "[1]\n"
        assert "Completed" in hub.ok("wait", "a")
        hub.ok("start", "fails", "--id", "b")
        assert hub.run("wait", "b", "--timeout", "20")[0] == ExitCode.INSTANCE_FAILED
        assert hub.run("wait", "b", "--value", "city")[0] == ExitCode.WRONG_STATE


def test_follow(hub: Hub) -> None:
    hub.ended("doubled", "--id", "a", "--input", "4")
    (line,) = hub.ok("status", "a", "--follow").splitlines()
    assert line.split()[1:] == ["Completed", '"doubling"']
    assert json.loads(hub.ok("status", "a", "--follow", "--json"))["output"] == 8


def test_executions_and_values(hub: Hub) -> None:
    hub.ok("start", "keeps", "--id", "a", "--input", "2")
    assert hub.run("values", "a", "city")[0] == ExitCode.NOT_FOUND
    with hub.serving():
        assert hub.ok("wait", "a", "--value", "city", "--timeout", "20") == '["Rome"]\n'
        until(lambda: len(hub.json("executions", "a")) == 3)
    assert hub.json("values", "a") == {"city": ["Rome"]}
    assert hub.ok("values", "a", "city") == '["Rome"]\n'
    assert hub.ok("values", "a").split() == ["KEY", "VALUE", "city", '["Rome"]']
    found = hub.json("executions", "a")
    assert [one["runtimeStatus"] for one in found] == ["ContinuedAsNew", "ContinuedAsNew", "Running"]
    assert hub.json("history", "a", "--execution", found[0]["executionId"])[0]["generation"] == 0
    assert len(hub.ok("executions", "a").splitlines()) == 4


# filters


def test_filters_by_tag_and_by_change(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a", "--tag", "team=a", "--tag", "kind=x")
    hub.ok("start", "waits", "--id", "b", "--tag", "team=b")
    hub.ok("start", "waits", "--id", "c")
    for tags, found in ((("team=a",), ["a"]), (("team=a", "kind=x"), ["a"]), (("team=b", "kind=x"), [])):
        given = [word for tag in tags for word in ("--tag", tag)]
        assert [one["instanceId"] for one in hub.json("list", *given)] == found
        assert hub.json("count", *given) == ({"Pending": 1} if found else {})
    assert len(hub.json("list", "--updated-from", "2020-01-01", "--updated-to", "2100-01-01")) == 3
    assert hub.json("count", "--updated-from", "2100-01-01") == {}


def test_entities_are_listed_on_request(hub: Hub) -> None:
    hub.ok("start", "waits", "--id", "a")
    with hub.serving():
        hub.ok("entity", "signal", "@counter@one", "add", "--input", "1")
        until(lambda: hub.json("entity", "list") != [])
    assert [one["instanceId"] for one in hub.json("list")] == ["a"]
    assert [one["instanceId"] for one in hub.json("list", "--entities")] == ["@counter@one", "a"]
    assert sum(hub.json("count").values()) == 1
    assert sum(hub.json("count", "--entities").values()) == 2


# purge


def test_purge_counts_first(hub: Hub) -> None:
    hub.ended("doubled", "--id", "a", "--input", "1", "--tag", "team=a")
    hub.ended("doubled", "--id", "b", "--input", "1")
    hub.ended("fails", "--id", "c")
    hub.ok("start", "waits", "--id", "d")
    assert hub.json("purge", "--older-than", "1d", "--dry-run") == {"instancesMatching": {}}
    assert hub.json("purge", "--prefix", "", "--older-than", "0s", "--dry-run") == {
        "instancesMatching": {"Completed": 2, "Failed": 1}
    }
    assert hub.ok("purge", "--tag", "team=a", "--dry-run") == "1 would be purged: 1 Completed\n"
    assert len(hub.json("list")) == 4
    assert hub.ok("purge", "--tag", "team=a") == "1 purged\n"
    assert hub.json("purge", "--older-than", "0s", "--recursive") == {"instancesDeleted": 2}
    assert [one["instanceId"] for one in hub.json("list")] == ["d"]


# entities


def test_entities(hub: Hub) -> None:
    with hub.serving():
        for _ in range(2):
            hub.ok("entity", "signal", "@counter@one", "add", "--input", "4", "--message-id", "once")
        assert hub.json("entity", "signal", "@counter@other", "add", "--input", "1") == {"entityId": "@counter@other"}
        hub.ok("entity", "signal", "@counter@one", "add", "--input", "100", "--in", "1d")
        until(lambda: [one["state"] for one in hub.json("entity", "list", "counter")] == [4, 1])
        hub.ok("entity", "signal", "@counter@other", "delete")
        until(lambda: not hub.json("entity", "show", "@counter@other")["exists"])
        assert "(none)" in hub.ok("entity", "list", "--top", "5")
        assert hub.json("entity", "clean", "--keep-empty") == {"removed": 0, "released": 0}
        assert hub.ok("entity", "clean") == "1 removed, 0 locks released\n"
    assert [one["entityId"] for one in hub.json("entity", "list")] == ["@counter@one"]
    assert hub.json("entity", "list", "counter", "--key-prefix", "x") == []
    assert hub.json("entity", "list", "--modified-from", "2100-01-01") == []
    shown = dict(line.split(maxsplit=1) for line in hub.ok("entity", "show", "@counter@one").splitlines())
    assert (shown["state"], shown["exists"]) == ("4", "true")


# schedules


def test_schedules(hub: Hub) -> None:
    hub.ok("start", "waits")
    with hub.serving():
        made = hub.json(
            "schedule", "create", "s", "doubled", "--cron", "0 3 * * *", "--input", "2", "--time-zone", "Europe/Berlin"
        )
        assert (made["status"], made["every"], made["timeZone"]) == ("active", "0 3 * * *", "Europe/Berlin")
        assert hub.run("schedule", "create", "s", "doubled", "--every", "1h")[0] == ExitCode.WRONG_STATE
        assert hub.json("schedule", "pause", "s")["status"] == "paused"
        changed = hub.json(
            "schedule", "update", "s", "--every", "90m", "--run-id", "run-{number}", "--overlap", "allow"
        )
        assert (changed["every"], changed["overlap"]) == ("1:30:00", "allow")
        assert "active" in hub.ok("schedule", "resume", "s")
        assert hub.run("schedule", "update", "s", "--every", "0s")[0] == ExitCode.USAGE
        run = hub.ok("schedule", "trigger", "s").strip()
        assert run.startswith("run-")
        until(lambda: hub.run("status", run)[0] == ExitCode.OK)
        assert hub.json("wait", run, "--timeout", "20")["output"] == 4
        assert [one["scheduleId"] for one in hub.json("schedule", "list")] == ["s"]
        assert "doubled" in hub.ok("schedule", "list")
        assert hub.ok("schedule", "delete", "s") == "s: deleted\n"
    assert hub.run("schedule", "show", "s")[0] == ExitCode.NOT_FOUND


def test_a_schedule_that_no_host_answers(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> None:
    hub.ok("start", "waits")
    monkeypatch.setattr(schedules, "_ANSWERS_WITHIN", timedelta(seconds=0.1))
    assert hub.run("schedule", "create", "s", "doubled", "--every", "1h")[0] == ExitCode.TIMED_OUT
    assert "host" in hub.errors


# wrong use


@pytest.mark.parametrize(
    "arguments",
    [
        ("start", "waits", "--in", "soon"),
        ("start", "waits", "--in", "1h", "--at", "2100-01-01"),
        ("start", "waits", "--tag", "team"),
        ("start", "waits", "--replace", "nonsense"),
        ("start", "waits", "--event-data", "1"),
        ("start", "waits", "--event", "go", "--event-data", "x"),
        ("raise", "a", "go", "--data", "x"),
        ("wait", "a", "--start", "--event", "go"),
        ("purge", "--dry-run"),
        ("purge", "a", "--dry-run"),
        ("purge", "--older-than", "1x"),
        ("purge", "--older-than", "1d", "--completed-to", "2030-01-01"),
        ("entity", "list", "--top", "0"),
        ("entity", "list", "--key-prefix", "x"),
        ("entity", "show", "counter"),
        ("entity", "signal", "@counter@one", "add", "--input", "x"),
        ("schedule", "create", "s", "doubled"),
        ("schedule", "create", "s", "doubled", "--every", "0s"),
        ("schedule", "create", "s", "doubled", "--cron", "x"),
    ],
)
def test_wrong_command_lines(hub: Hub, arguments: tuple[str, ...]) -> None:
    hub.ok("start", "waits", "--id", "a")
    assert hub.run(*arguments)[0] == ExitCode.USAGE
    assert hub.errors


# What the client can do, and the command that does it; None: not for a command line, and why.
COMMANDS: dict[str, str | None] = {
    "start": "start",
    "restart": "restart",
    "get": "status",
    "get_many": None,  # a loop over status
    "row": None,  # a part of others
    "status_of": None,  # a part of others
    "list": "list",
    "pages": "list",
    "count": "count",
    "history": "history",
    "executions": "executions",
    "activity_progress": "status",
    "progress_reports": "status",
    "load_payload": None,  # a part of others
    "load_failure": None,  # the same
    "changes": "status",
    "wait_for_completion": "wait",
    "wait_for_start": "wait",
    "wait_for_event": "wait",
    "wait_for_value": "wait",
    "wait_until": None,  # takes code
    "wait_for_custom_status": None,  # the same; status --follow shows each
    "wait_for_custom_status_change": "status",
    "get_value": "values",
    "get_values": "values",
    "raise_event": "raise",
    "terminate": "terminate",
    "suspend": "suspend",
    "resume": "resume",
    "rewind": "rewind",
    "purge": "purge",
    "purge_by_force": "purge",
    "purge_matching": "purge",
    "purge_older_than": "purge",
    "signal_entity": "entity signal",
    "read_entity": "entity show",
    "list_entities": "entity list",
    "clean_entities": "entity clean",
}
SCHEDULES = {
    "create": "create",
    "update": "update",
    "pause": "pause",
    "resume": "resume",
    "trigger": "trigger",
    "delete": "delete",
    "describe": "show",
    "list": "list",
}


def test_the_command_line_can_do_what_the_client_can() -> None:
    from durable_ext.host.cli import make_parser

    known = {name.removeprefix("durable ") for name, _ in parsers(make_parser())}
    assert {name for name in dir(Client) if not name.startswith("_") and callable(getattr(Client, name))} == set(
        COMMANDS
    )
    assert {name for name in dir(ScheduleClient) if not name.startswith("_")} == set(SCHEDULES)
    assert {command for command in COMMANDS.values() if command} <= known
    assert {f"schedule {command}" for command in SCHEDULES.values()} <= known
