"""The logger of orchestrators: standard levels, % formatting, silent in replay."""

from __future__ import annotations

import logging
from typing import Any, cast

import pytest

from durable_ext.authoring.decisions import Decisions, LogLine
from durable_ext.authoring.logger import ReplaySafeLogger


class Listener:
    def __init__(self, *, is_replaying: bool = False) -> None:
        self.is_replaying = is_replaying
        self.lines: list[LogLine] = []

    def log(self, line: LogLine) -> None:
        self.lines.append(line)


def logger_to(listener: Listener, target: Any = None) -> ReplaySafeLogger:
    return ReplaySafeLogger(cast("Decisions", listener), target)


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical"])
def test_levels_are_those_of_logging(level: str) -> None:
    listener = Listener()
    getattr(logger_to(listener), level)("%s of %d", "one", 2)
    assert listener.lines == [LogLine(getattr(logging, level.upper()), "one of 2", None)]


def test_a_level_of_ones_own() -> None:
    listener = Listener()
    logger_to(listener, "shop").log(15, "between")
    assert listener.lines == [LogLine(15, "between", "shop")]


def test_a_percent_sign_without_arguments_stays() -> None:
    listener = Listener()
    logger_to(listener).info("100% done")
    assert listener.lines[0].text == "100% done"


def test_an_exception_with_a_percent_sign_in_its_traceback() -> None:
    listener = Listener()
    try:
        raise ValueError("50% off")
    except ValueError:
        logger_to(listener).exception("failed")
    assert listener.lines[0].level == logging.ERROR
    assert listener.lines[0].text.startswith("failed\nTraceback")
    assert "ValueError: 50% off" in listener.lines[0].text


@pytest.mark.parametrize("level", ["debug", "info", "warning", "error", "critical", "exception"])
def test_nothing_is_logged_in_a_replay(level: str) -> None:
    listener = Listener(is_replaying=True)
    getattr(logger_to(listener), level)("again")
    assert listener.lines == []


def test_a_replay_does_not_even_format() -> None:
    class Costly:
        def __str__(self) -> str:
            raise AssertionError("formatted")

    logger_to(Listener(is_replaying=True)).info("%s", Costly())
