"""What `durable replay` prints as it goes: a line or a JSON object for each verdict, totals, and its progress."""

from __future__ import annotations

import linecache
import sys
from collections import Counter
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from durable_ext.host.cli.terminal import harmless, unshielded_stderr
from durable_ext.host.exit_codes import ExitCode
from durable_ext.records.parting import Parting, Place

if TYPE_CHECKING:
    from durable_ext.testing.histories import Finding

_OK, _DIFFERS, _UNCHECKED = "ok", "differs", "cannot be checked"
_PROGRESS_EVERY = 25


class Report:
    """Collects counts and prints the rest at once, so that a hub of any size fits into memory.

    Printed as JSON it is one value, an object of `results` and `totals`; after an error in between its end is missing.
    """

    def __init__(self, *, as_json: bool, quiet: bool) -> None:
        self._as_json = as_json
        self._quiet = quiet
        self._counts: Counter[str] = Counter()
        self._printed = 0
        self._shows_progress = _shows_progress()

    def __enter__(self) -> Self:
        if self._as_json:
            print('{"results":[', end="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._show_progress("")
        if error is not None:
            return
        totals = {"ok": self._counts[_OK], "differs": self._counts[_DIFFERS], "unchecked": self._counts[_UNCHECKED]}
        if self._as_json:
            print(f'],"totals":{msgspec.json.encode(totals).decode()}}}')
        else:
            print(f"{self._total} checked: {totals['ok']} ok, {totals['differs']} differ, ", end="")
            print(f"{totals['unchecked']} cannot be checked")

    @property
    def exit_code(self) -> ExitCode:
        """OK when all fit. What cannot be checked does not fit."""
        return ExitCode.OK if self._counts[_OK] == self._total else ExitCode.FAILURE

    @property
    def _total(self) -> int:
        return sum(self._counts.values())

    def add(self, finding: Finding, file: str = "") -> None:
        """Count a verdict and print it. `file`: where the history was read."""
        self._counts[finding.verdict.value] += 1
        if not (self._quiet and finding.verdict.value == _OK):
            self._show_progress("")
            self._print_json(finding, file) if self._as_json else _print_text(finding, file)
        if self._total % _PROGRESS_EVERY == 0:
            self._show_progress(f"{self._total} checked, {self._total - self._counts[_OK]} of them not ok")

    def _print_json(self, finding: Finding, file: str) -> None:
        plain: dict[str, Any] = {**msgspec.to_builtins(finding), "file": file or None}
        separator = "," if self._printed else ""
        self._printed += 1
        print(separator + msgspec.json.encode(plain).decode(), end="")

    def _show_progress(self, text: str) -> None:
        if self._shows_progress:
            print(f"\r\x1b[K{harmless(text)}", end="", file=unshielded_stderr(), flush=True)


def _shows_progress() -> bool:
    return sys.stderr.isatty()


def _print_text(finding: Finding, file: str) -> None:
    known = [part for part in (file, finding.instance_id, finding.execution_id, finding.name) if part]
    print(f"{finding.verdict.value}: {' '.join(known)}")
    for line in (finding.reason,) if finding.parting is None else _lines(finding.parting):
        if line:
            print(f"  {line}")


def _lines(parting: Parting) -> Iterator[str]:
    yield (
        f"turn {parting.turn}, event {parting.event}: history has {parting.expected}, the code asked for "
        f"{parting.actual}"
    )
    if parting.source is not None:
        yield f"{parting.source}"
        yield _line(parting.source)


def _line(place: Place) -> str:
    text = linecache.getline(place.file, place.line).strip()
    return f"  {text}" if text else ""
