"""The catalogue of mutations fits the code as it is; that tests notice them is `make mutations`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from .__main__ import broken, main
from .catalogue import MUTATIONS, Mutation

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: f"{mutation.rule}: {mutation.what}")
def test_it_applies_and_its_tests_are_there(mutation: Mutation) -> None:
    changed = broken((ROOT / mutation.file).read_text(), mutation)
    compile(changed, mutation.file, "exec")
    files = [name for name in mutation.tests if name.startswith("tests/")]
    assert files
    assert all((ROOT / name).exists() for name in files)


def test_every_rule_of_the_turn_protocol_is_broken_at_least_twice() -> None:
    counts = Counter(mutation.rule for mutation in MUTATIONS)
    assert {f"P{number}": counts[f"P{number}"] for number in range(2, 14) if counts[f"P{number}"] < 2} == {}
    assert counts["P1"] >= 1


def test_one_that_no_longer_fits_is_said() -> None:
    mutation = Mutation("P0", "nothing", "no/file.py", "was", "now", ())
    with pytest.raises(ValueError, match=r"stands 2 times in no/file\.py"):
        broken("was was", mutation)


def test_a_break_that_nobody_notices_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    harmless = Mutation("none", "a comment", "durable_ext/__init__.py", '"""', '"""', ("tests/records/test_ids.py",))
    text = (ROOT / harmless.file).read_text()
    first = text.split("\n", 1)[0]
    monkeypatch.setattr("tests.mutations.__main__.MUTATIONS", (harmless._replace(was=first, now=first),))
    assert main(["--jobs", "1"]) == 1
    assert "SURVIVED" in capsys.readouterr().out


def test_an_unknown_rule_is_said() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--rule", "P99"])
    assert ended.value.code == 2
