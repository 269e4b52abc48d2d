"""A logger for orchestrators that is silent while they replay. Lines are data until the turn is committed."""

from __future__ import annotations

import traceback
from typing import Any

from durable_ext.authoring.decisions import Decisions, LogLine

# Numbers of the standard logging module, which pure rooms do not import.
_DEBUG, _INFO, _WARNING, _ERROR, _CRITICAL = 10, 20, 30, 40, 50


class ReplaySafeLogger:
    """Logs each line once however often the code replays. Messages are formatted with % as in logging."""

    def __init__(self, decisions: Decisions, logger: Any = None) -> None:
        self._decisions = decisions
        self._logger = logger

    def log(self, level: int, message: str, *args: Any) -> None:
        if not self._decisions.is_replaying:
            text = message % args if args else message
            self._decisions.log(LogLine(level, text, self._logger))

    def debug(self, message: str, *args: Any) -> None:
        self.log(_DEBUG, message, *args)

    def info(self, message: str, *args: Any) -> None:
        self.log(_INFO, message, *args)

    def warning(self, message: str, *args: Any) -> None:
        self.log(_WARNING, message, *args)

    def error(self, message: str, *args: Any) -> None:
        self.log(_ERROR, message, *args)

    def critical(self, message: str, *args: Any) -> None:
        self.log(_CRITICAL, message, *args)

    def exception(self, message: str, *args: Any) -> None:
        """An error line with the traceback of the exception being handled."""
        text = message % args if args else message
        self.log(_ERROR, "%s", f"{text}\n{traceback.format_exc()}")
