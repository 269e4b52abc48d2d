"""`# durable: ignore[...]`: what it silences, and what is said of a comment that silences nothing."""

from __future__ import annotations

import pytest

from durable_ext.lint.linter import lint
from durable_ext.lint.rules import RULES

from .sources import Sources

IMPORTS = "import time\nimport uuid"


@pytest.mark.parametrize(
    "line",
    [
        "time.time()  # durable: ignore[DX101]",
        "time.time()  # durable: ignore[DX101] shown in a log line only",
        "time.time()  # noqa: X  # durable: ignore[DX101]",
        "time.time()  #durable:ignore[ DX101 ]",
        "x = (time.time(), uuid.uuid4())  # durable: ignore[DX101, DX103]",
        "x = str(\n    time.time()  # durable: ignore[DX101]\n)",
        "open(\n    'x',\n)  # durable: ignore[DX201]",
        "open(  # durable: ignore[DX201]\n    'x',\n)",
    ],
)
def test_a_comment_silences_its_codes_on_its_line(line: str, sources: Sources) -> None:
    assert sources.body(line, imports=IMPORTS) == []


@pytest.mark.parametrize(
    ("line", "codes"),
    [
        ("time.time()  # durable: ignore[DX102]", ["DX101", "DX004"]),
        ("x = (time.time(), uuid.uuid4())  # durable: ignore[DX101]", ["DX103"]),
        ("# durable: ignore[DX101]\ntime.time()", ["DX004", "DX101"]),
        ("time.time()  # durable: ignore", ["DX101", "DX003"]),
        ("time.time()  # durable: ignore[]", ["DX101", "DX003"]),
        ("time.time()  # durable: ignore[DX10]", ["DX101", "DX003"]),
        ("time.time()  # durable: ignore[DX101, clock]", ["DX003"]),
        ("time.time(); '# durable: ignore[DX101]'", ["DX101"]),
        ("value = 3  # durable: ignore[DX101]", ["DX004"]),
    ],
)
def test_a_comment_that_does_not_fit_is_reported(line: str, codes: list[str], sources: Sources) -> None:
    assert sources.body(line, imports=IMPORTS) == codes


def test_a_comment_counts_where_the_finding_is_not_where_it_is_called(sources: Sources) -> None:
    outer = "import time\ndef now():\n    return time.time()  # durable: ignore[DX101]\n"
    assert sources.body("now()", imports=outer) == []
    outer = "import time\ndef now():\n    return time.time()\n"
    assert sources.body("now()  # durable: ignore[DX101]", imports=outer) == ["DX101", "DX004"]


def test_a_comment_for_a_rule_that_is_not_selected_is_not_called_unused(sources: Sources) -> None:
    file = sources.write("app.py", "LIMIT = 3  # durable: ignore[DX101]\n")
    assert lint([file], frozenset(RULES) - {"DX101"}, folder=sources.folder).findings == ()
    assert [one.code for one in sources.report().findings] == ["DX004"]


def test_a_finding_on_a_comment_has_its_place(sources: Sources) -> None:
    sources.write("app.py", "LIMIT = 3  # noqa: E1  # durable: ignore[DX999]\n")
    (finding,) = sources.report().findings
    assert (finding.line, finding.column, finding.end_column) == (1, 24, 48)
    assert finding.message.startswith("`DX999`")
