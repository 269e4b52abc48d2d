"""`durable replay`: verdicts, output, exit codes, and that nothing is written (docs/replay.md)."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from durable_ext.host.cli import verdicts
from durable_ext.host.exit_codes import ExitCode
from durable_ext.providers.sqlite import SqliteProvider

from .command import Line
from .hubs import ALL

RECORDED = Path(__file__).parents[1] / "histories"


def test_code_that_fits(line: Line) -> None:
    before = line.content()
    code, output = line.run()
    assert code == ExitCode.OK, output
    *lines, totals = output.splitlines()
    assert {text.removeprefix("ok: ").rpartition(" ")[0].rpartition(" ")[0] for text in lines} == ALL
    assert totals == "10 checked: 10 ok, 0 differ, 0 cannot be checked"
    assert line.content() == before


def test_code_that_differs(line: Line) -> None:
    before = line.content()
    line.change(('ctx.call_activity("charge", number)', 'ctx.call_activity("pay", number)'))
    code, output = line.run("--quiet")
    assert code == ExitCode.FAILURE
    where = line.app.read_text().partition('"pay"')[0].count("\n") + 1
    assert output.split("differs: ")[1:][0].splitlines() == [
        "done done-e0 order",
        "  turn 1, event 1: history has TaskScheduled(1, charge), the code asked for TaskScheduled(1, pay)",
        f"  {line.app}:{where}, in order",
        '    await ctx.call_activity("pay", number)',
    ]
    assert output.endswith("10 checked: 6 ok, 4 differ, 0 cannot be checked\n")
    assert "ok: " not in output
    assert line.content() == before


def test_what_a_program_reads(line: Line) -> None:
    line.change(('yield ctx.call_activity("b")', 'yield ctx.wait_for_external_event("b")'))
    code, found, totals = line.json()
    assert code == ExitCode.FAILURE
    assert totals == {"ok": 9, "differs": 1, "unchecked": 0}
    differing = found["generator"]
    assert (differing["verdict"], differing["name"]) == ("differs", "old")
    assert differing["parting"]["expected"] == "TaskScheduled(1, b)"
    assert differing["parting"]["actual"] == "nothing at this point"
    assert differing["parting"]["source"]["function"] == "old"
    assert line.run("--json", "--quiet")[1].count("instanceId") == 2, "once in the result and once in its parting"


def test_what_the_code_prints_is_kept_apart(line: Line) -> None:
    assert "an orchestrator that prints" not in line.run()[1]
    assert "an orchestrator that prints" in line.errors


def test_an_orchestrator_that_is_gone(line: Line) -> None:
    line.change(("async def order(", "async def purchase("))
    code, found, totals = line.json()
    assert code == ExitCode.FAILURE
    assert totals == {"ok": 6, "differs": 0, "unchecked": 4}
    assert found["waits"]["verdict"] == "cannot be checked"
    assert found["waits"]["reason"] == "no orchestrator of the app is called 'order'"


def test_one_that_failed_because_nobody_knew_it_fits(line: Line) -> None:
    line.change(("async def fails(", "async def fails_no_more("))
    assert line.verdicts()["failed"] == "ok"


@pytest.mark.parametrize(
    ("statement", "reason"),
    [
        ("DELETE FROM history WHERE instance_id = 'done' AND turn = 1", "turn 1 is missing"),
        ("DELETE FROM history WHERE instance_id = 'done' AND turn = 0", "it has no history"),
        ("UPDATE history SET events = '[{' WHERE instance_id = 'done' AND turn = 2", "cannot be read"),
        ("UPDATE history SET events = '[]' WHERE instance_id = 'done' AND turn = 0", "does not begin with its start"),
    ],
)
def test_damaged_histories(line: Line, statement: str, reason: str) -> None:
    line.sql(statement)
    code, found, totals = line.json("--quiet")
    assert code == ExitCode.FAILURE
    assert totals == {"ok": 9, "differs": 0, "unchecked": 1}
    assert found["done"]["verdict"] == "cannot be checked"
    assert reason in found["done"]["reason"]


def test_an_instance_that_is_purged_meanwhile(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    real = SqliteProvider.history

    async def purging(store: SqliteProvider, instance_id: str, execution_id: str | None = None) -> Any:
        if instance_id == "done":
            line.sql("DELETE FROM instances WHERE instance_id = 'done'")
            return ()
        return await real(store, instance_id, execution_id)

    monkeypatch.setattr(SqliteProvider, "history", purging)
    code, found, _ = line.json()
    assert code == ExitCode.OK
    assert set(found) == ALL - {"done"}


def test_which_instances_are_meant(line: Line) -> None:
    running = {"begun", "counted", "generator", "stopped", "to come", "waits"}
    assert set(line.verdicts("--running")) == running
    assert set(line.verdicts("--running", "--name", "old")) == {"begun", "generator"}
    assert set(line.verdicts("--status", "failed", "--status", "terminated")) == {"failed", "ended"}
    assert set(line.verdicts("--prefix", "st")) == {"stopped"}
    assert line.verdicts("--name", "nobody") == {}


def test_executions_before_the_current_one(line: Line) -> None:
    line.change(('"first" if', '"other" if'))
    assert line.verdicts("--name", "count") == {"counted": "ok"}
    code, output = line.run("--name", "count", "--all-executions")
    assert code == ExitCode.FAILURE
    assert "differs: counted counted-e0 count" in output
    assert output.endswith("2 checked: 1 ok, 1 differ, 0 cannot be checked\n")


def test_an_execution_whose_predecessor_was_pruned(line: Line) -> None:
    line.sql("DELETE FROM history WHERE execution_id = 'counted-e0'")
    assert line.run("--name", "count", "--all-executions")[0] == ExitCode.OK


def test_files(line: Line) -> None:
    file = line.folder / "waits.json"
    code, _ = line.run("waits", "--output", str(file), command="history")
    assert code == ExitCode.OK
    line.file.unlink()
    assert line.json("--history", str(file)) == (
        0,
        {
            str(file): {
                "file": str(file),
                "instanceId": "waits",
                "executionId": "waits-e0",
                "name": "order",
                "verdict": "ok",
                "reason": "",
                "parting": None,
            }
        },
        {"ok": 1, "differs": 0, "unchecked": 0},
    )
    line.change(('ctx.call_activity("charge", number)', 'ctx.call_activity("pay", number)'))
    code, output = line.run("--history", str(file))
    assert code == ExitCode.FAILURE
    assert output.startswith(f"differs: {file} waits waits-e0 order\n")


def test_a_folder(line: Line) -> None:
    folder = line.folder / "histories"
    shutil.copytree(RECORDED, folder)
    line.run("waits", "--output", str(folder / "waits.json"), command="history")
    (folder / "broken.json").write_text("[]")
    code, found, totals = line.json("--folder", str(folder))
    assert code == ExitCode.FAILURE
    unknown = len([*RECORDED.glob("*.json")]) - 4
    assert totals == {"ok": 4, "differs": 1, "unchecked": unknown + 1}, "three of entities, one by the name of another"
    assert found[str(folder / "waits.json")]["verdict"] == "ok"
    assert "is no history file" in found[str(folder / "broken.json")]["reason"]
    one = line.folder / "one.json"
    shutil.copy(folder / "waits.json", one)
    assert set(line.verdicts("--history", str(one), "--folder", str(folder))) == {str(one), *found}


def test_a_history_is_written_with_what_is_said_of_it(line: Line) -> None:
    file = line.folder / "h.json"
    code, output = line.run("counted", "--execution", "counted-e0", "--output", str(file), command="history")
    assert (code, output) == (ExitCode.OK, f"{file}: 3 turns of counted\n")
    assert json.loads(file.read_text())["status"] == "Running"
    code, output = line.run("counted", "--output", str(file), "--json", command="history")
    assert json.loads(output) == {"file": str(file), "turns": 2}
    assert line.run("nobody", "--output", str(file), command="history")[0] == ExitCode.NOT_FOUND
    assert line.run("to come", "--output", str(file), command="history")[0] == ExitCode.USAGE


@pytest.mark.parametrize(
    "arguments",
    [
        ("--history", "nowhere.json"),
        ("--folder", "nowhere"),
        ("--running", "--status", "Running"),
        ("--history", "h.json", "--running"),
        ("--history", "h.json", "--all-executions"),
        ("--history", "h.json", "--name", "order"),
        ("--status", "Walking"),
        ("--every",),
    ],
)
def test_wrong_command_lines(line: Line, arguments: tuple[str, ...]) -> None:
    line.run("waits", "--output", "h.json", command="history")
    assert line.run(*arguments)[0] == ExitCode.USAGE
    assert line.errors


def test_a_hub_that_is_not_there(empty: Line) -> None:
    assert empty.run()[0] == ExitCode.NOT_FOUND
    assert not empty.file.exists()


def test_an_app_that_is_none(line: Line) -> None:
    line.change(("app = DurableApp()", "app = DurableApp(); import nowhere_at_all"))
    assert line.run()[0] == ExitCode.FAILURE
    assert "nowhere_at_all" in line.errors


def test_progress_is_for_terminals(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    line.change(("    print(", "    str("))
    line.run()
    assert line.errors == ""
    monkeypatch.setattr(verdicts, "_PROGRESS_EVERY", 4)
    monkeypatch.setattr(verdicts, "_shows_progress", lambda: True)
    line.run()
    assert "8 checked, 0 of them not ok" in line.errors
