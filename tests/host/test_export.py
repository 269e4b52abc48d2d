"""Exports: what is in the files, going on after a crash, and reading them back."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from durable_ext import ConfigurationError, InstanceFilter, InvalidInputError, OrchestrationContext, Registry
from durable_ext.host import cli
from durable_ext.host.export import CHECKPOINT, ExportReport, export_histories
from durable_ext.host.export_places import ContainerPlace, FolderPlace
from durable_ext.providers.sqlite import SqliteProvider
from durable_ext.testing import Harness, check_replay
from durable_ext.testing.histories import history_files, read_export
from durable_ext.testing.scenario import StoreName
from durable_ext.testing.storage_double import StorageDouble

registry = Registry()
LONG = "x" * 100_000


def work(count: int) -> str:
    return LONG


async def rounds(ctx: OrchestrationContext, count: int) -> str:
    text = await ctx.call_activity(work, count)
    if count:
        ctx.continue_as_new(count - 1)
    return text


registry.add_activity(work)
registry.add_orchestrator(rounds)


class Died(Exception):
    """The exporter is gone."""


class Moody:
    """A place that dies at a call."""

    def __init__(self, inner: FolderPlace, call: int, *, after: bool) -> None:
        self._inner, self._left, self._after = inner, call, after

    async def read(self, name: str) -> bytes | None:
        return await self._inner.read(name)

    async def write(self, name: str, data: bytes) -> None:
        self._left -= 1
        if self._left < 0 and not self._after:
            raise Died
        await self._inner.write(name, data)
        if self._left < 0:
            raise Died


def filled(hub: Harness, instances: int = 5) -> None:
    for number in range(instances):
        hub.run(rounds, 1, instance_id=f"it-{number}")


def ids(folder: Path) -> list[tuple[str, int]]:
    found = [history.execution for path in history_files(folder) for history in read_export(path)]
    return [(execution.instance_id, execution.generation) for execution in found]


EVERY = [(f"it-{number}", generation) for number in range(5) for generation in (1, 0)]


@pytest.mark.parametrize("store", ["sqlite", "azure"])
@pytest.mark.parametrize("compress", [True, False])
def test_an_export_is_read_back_and_replays(tmp_path: Path, store: StoreName, compress: bool) -> None:
    with Harness(registry, store=store) as hub:
        filled(hub)
        told: list[ExportReport] = []
        place = FolderPlace(tmp_path / "out")
        report = hub.wait(export_histories(hub.client, place, compress=compress, chunk=2, progress=told.append))
        assert (report.instances, report.executions, report.finished) == (5, 10, True)
        assert told[-1] == report
        again = hub.wait(export_histories(hub.client, place, compress=compress, chunk=2))
        assert again == report
        with pytest.raises(InvalidInputError, match="another filter"):
            hub.wait(export_histories(hub.client, place, InstanceFilter(name="rounds"), compress=compress, chunk=2))
    assert ids(tmp_path / "out") == EVERY
    for path in history_files(tmp_path / "out"):
        assert path.name.endswith(".jsonl.gz" if compress else ".jsonl")
        check_replay(registry, path)
        assert all(history.turns[-1].events for history in read_export(path))
    with pytest.raises(ConfigurationError):
        check_replay(42, history_files(tmp_path / "out")[0])


def test_current_executions_and_a_filter(tmp_path: Path) -> None:
    with Harness(registry) as hub:
        filled(hub)
        where = InstanceFilter(id_prefix="it-3")
        hub.wait(export_histories(hub.client, FolderPlace(tmp_path), where, all_executions=False))
    assert ids(tmp_path) == [("it-3", 1)]


@pytest.mark.parametrize("after", [False, True])
def test_a_crash_at_each_write_doubles_nothing(tmp_path: Path, after: bool) -> None:
    with Harness(registry) as hub:
        filled(hub)
        for call in range(6):
            folder = tmp_path / str(call)
            with pytest.raises(Died):
                hub.wait(export_histories(hub.client, Moody(FolderPlace(folder), call, after=after), chunk=2))
            written = len(list(folder.glob("*.gz")))
            report = hub.wait(export_histories(hub.client, FolderPlace(folder), chunk=2))
            assert (report.files, report.executions) == (3, 10)
            assert written >= call // 2
            assert ids(folder) == EVERY


def test_a_container() -> None:
    with Harness(registry, store="azure") as hub:
        filled(hub, 2)
        account = StorageDouble(hub.engine.clock)
        hub.wait(export_histories(hub.client, ContainerPlace(account, "exports", "a/")))
        packed = hub.wait(account.get_blob("exports", "a/histories-000001.jsonl.gz"))
        assert packed is not None
        assert len(gzip.decompress(packed).splitlines()) == 4
        assert hub.wait(account.get_blob("exports", f"a/{CHECKPOINT}")) is not None


def test_what_is_no_export(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text("{}\n")
    with pytest.raises(InvalidInputError, match=r"a.jsonl, line 1, is no history"):
        check_replay(registry, tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(InvalidInputError, match="cannot be read"):
        check_replay(registry, tmp_path / "a.jsonl.gz")
    (tmp_path / CHECKPOINT).write_text("[]")
    with Harness(registry) as hub:
        with pytest.raises(InvalidInputError, match="is no checkpoint"):
            hub.wait(export_histories(hub.client, FolderPlace(tmp_path)))
        with pytest.raises(InvalidInputError, match="1 to 1000"):
            hub.wait(export_histories(hub.client, FolderPlace(tmp_path), chunk=0))


APP = """
from durable_ext import DurableApp, OrchestrationContext
app = DurableApp()

@app.orchestrator
async def greeting(ctx: OrchestrationContext, name: str) -> str:
    return f"hello {name}"
"""


@pytest.fixture
def line(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    for name in ("DURABLE_STORAGE", "DURABLE_HUB"):
        monkeypatch.setenv(name, "")
    (tmp_path / "exported_app.py").write_text(APP)
    storage = f"sqlite:{tmp_path / 'hub.sqlite'}"

    def run(*arguments: str) -> tuple[int, str]:
        code = cli.main([*arguments, "--app", str(tmp_path / "exported_app.py"), "--storage", storage])
        printed = capsys.readouterr()
        return code, printed.out + printed.err

    return run


def test_the_command(line: Callable[..., Any], tmp_path: Path) -> None:
    assert line("export", "--to", "out")[0] == 3
    SqliteProvider(tmp_path / "hub.sqlite")
    (tmp_path / "hub.sqlite").touch()
    assert line("hub", "create")[0] == 0
    assert line("start", "greeting", "--input", '"you"', "--id", "it")[0] == 0
    assert line("export", "--to", "out") == (0, "out: 0 executions of 0 instances in 0 files\n")
    assert line("export")[0] == 2
    assert line("export", "--container", "exports")[0] == 2
