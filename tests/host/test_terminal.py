"""What callers have stored does nothing to the terminal of who looks at it."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import sys

import pytest

from durable_ext.host.cli import host as host_command
from durable_ext.host.cli import main
from durable_ext.host.cli.terminal import harmless, one_line, shielded, unshielded_stderr
from durable_ext.records.messages import Quarantined

from .command_line import Hub
from .virtual import START

# Clears the screen, sets the title, an eight-bit escape, a line that looks like another, and turns text around.
NASTY = "\x1b[2J\x1b]0;title\x07\x9b31m\x7f\nSTATUS Completed\r\u202e"
OBEYED = set("\x1b\x07\x9b\x7f\r\u202e")


class Terminal(io.StringIO):
    """A stream that says that a person reads it."""

    def isatty(self) -> bool:
        return True


def test_every_kind_is_shown_instead() -> None:
    assert harmless("a\tb\n" + NASTY) == (
        "a\tb\n\\u001b[2J\\u001b]0;title\\u0007\\u009b31m\\u007f\nSTATUS Completed\\u000d\\u202e"
    )
    assert one_line("a\tb\nc") == "a\\u0009b\\u000ac"
    assert harmless("größe → 1 🙂") == "größe → 1 🙂"


@pytest.mark.parametrize("command", ["status", "history", "executions", "list"])
def test_inputs_are_shown_harmless_to_people(hub: Hub, command: str) -> None:
    hub.ok("start", "doubled", "--id", "a", "--input", json.dumps(NASTY), "--tag", f"k={NASTY}")
    hub.ok("raise", "a", "go", "--data", json.dumps(NASTY))
    shown = hub.ok(command, *([] if command == "list" else ["a"]))
    assert not OBEYED & set(shown)
    assert "\nSTATUS Completed" not in shown


def test_a_history_is_shown_harmless(hub: Hub) -> None:
    instance = hub.ended("fails", "--input", json.dumps(NASTY))
    hub.ok("terminate", hub.ok("start", "waits").strip(), "--reason", NASTY)
    shown = hub.ok("history", instance)
    assert "STATUS Completed" in shown
    assert not OBEYED & set(shown)
    assert "\nSTATUS Completed" not in shown


@pytest.mark.parametrize("arguments", [("list",), ("show", "m")])
def test_kept_messages_are_shown_harmless(hub: Hub, arguments: tuple[str, ...]) -> None:
    kept = Quarantined(
        id="m", queue="q", body=NASTY, reason=NASTY, instance_id=NASTY, dequeue_count=1, time=START, stack=NASTY
    )
    hub.ok("start", "doubled")
    asyncio.run(hub.with_store(lambda store: store.quarantine(kept)))
    assert not OBEYED & set(hub.ok("quarantine", *arguments))


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_nothing_at_all_reaches_a_terminal(
    hub: Hub, monkeypatch: pytest.MonkeyPatch, json_too: tuple[str, ...]
) -> None:
    hub.ok("start", "doubled", "--id", "a", "--input", json.dumps(NASTY))
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    where = ("--storage", f"sqlite:{hub.file}")
    assert main(["status", "a", *where, *json_too]) == 0
    assert main(["status", NASTY, *where]) == 3
    assert (sys.stdout, sys.stderr) == (out, err)
    assert not OBEYED & set(out.getvalue() + err.getvalue())
    if json_too:
        assert json.loads(out.getvalue())["input"] == NASTY


def test_json_for_a_script_stays_as_it_is(hub: Hub) -> None:
    hub.ok("start", "doubled", "--id", "a", "--input", json.dumps(NASTY))
    assert hub.json("status", "a")["input"] == NASTY
    assert "\x9b" in hub.ok("status", "a", "--json")


def test_who_moves_the_cursor_means_it(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shielded():
        sys.stderr.writelines(["\x1b[K\n"])
        unshielded_stderr().write("\x1b[K\n")
    assert terminal.getvalue() == "\\u001b[K\n\x1b[K\n"


def test_what_the_host_logs_does_nothing(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    root = logging.getLogger()
    monkeypatch.setattr(root, "handlers", [])
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    host_command._log(verbose=False)  # pyright: ignore[reportPrivateUsage]
    logging.getLogger("durable_ext.host").warning("the input was %s", NASTY)
    assert "the input was" in terminal.getvalue()
    assert not OBEYED & set(terminal.getvalue())
