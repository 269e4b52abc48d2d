"""`make mutations`: every break of the catalogue in a copy of the repository, and whether its tests notice it."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from queue import SimpleQueue

from tests.scenarios.crash_sample import ASKED as CRASH_SAMPLE

from .catalogue import MUTATIONS, Mutation

_ROOT = Path(__file__).resolve().parents[2]
_PARTS = (
    "durable_ext",
    "tests",
    "examples",
    "benchmarks",
    "docs",
    "tools",
    "function_app.py",
    "host.json",
    "pyproject.toml",
)
_LONGEST = 240
CAUGHT, SURVIVED, HUNG = "caught", "SURVIVED", "caught (it hung)"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run it; the exit code: 1 when a break goes unnoticed."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("--rule", help="the breaks of this rule alone, such as P6")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once (default: the cores)")
    options = parser.parse_args(arguments)
    chosen = [mutation for mutation in MUTATIONS if options.rule in (None, mutation.rule)]
    if not chosen:
        parser.error(f"no mutation has the rule {options.rule!r}")
    began = time.monotonic()
    verdicts: dict[Mutation, str] = {}
    with tempfile.TemporaryDirectory(prefix="mutations-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        copies = _copies(Path(folder), options.jobs)
        _say("the tests pass as long as nothing is broken: ...\n")
        whole = {pool.submit(_run, tests, copies): tests for tests in {mutation.tests for mutation in chosen}}
        failed = [" ".join(tests) for done, tests in whole.items() if done.result() != SURVIVED]
        if failed:
            _say("\n".join(["they do not, so they show nothing; make test:", *failed, ""]))
            return 1
        tried = {pool.submit(_try, mutation, copies): mutation for mutation in chosen}
        for done in as_completed(tried):
            verdicts[tried[done]] = done.result()
            _say(f"{len(verdicts)}/{len(chosen)} {tried[done].rule}: {tried[done].what}: {done.result()}\n")
    for mutation in chosen:
        sys.stdout.write(f"{mutation.rule:<14}{mutation.what:<64}{verdicts[mutation]}\n")
    survived = [mutation for mutation in chosen if verdicts[mutation] == SURVIVED]
    caught = len(chosen) - len(survived)
    sys.stdout.write(f"{caught} of {len(chosen)} breaks caught, in {time.monotonic() - began:.0f} seconds\n")
    return 1 if survived else 0


def broken(text: str, mutation: Mutation) -> str:
    """The text of a file with the break in it. Raises ValueError when the catalogue no longer fits the code."""
    if text.count(mutation.was) != 1:
        raise ValueError(
            f"{mutation.rule}, {mutation.what}: its text stands {text.count(mutation.was)} times in {mutation.file}; "
            "write the mutation anew"
        )
    return text.replace(mutation.was, mutation.now)


def _copies(folder: Path, count: int) -> SimpleQueue[Path]:
    copies: SimpleQueue[Path] = SimpleQueue()
    ignored = shutil.ignore_patterns("__pycache__", "node_modules")
    for number in range(count):
        copy = folder / str(number)
        for part in _PARTS:
            source = _ROOT / part
            if source.is_dir():
                shutil.copytree(source, copy / part, ignore=ignored)
            else:
                shutil.copy(source, copy / part)
        copies.put(copy)
    return copies


def _run(tests: Sequence[str], copies: SimpleQueue[Path]) -> str:
    copy = copies.get()
    try:
        return _verdict(tests, copy)
    finally:
        copies.put(copy)


def _try(mutation: Mutation, copies: SimpleQueue[Path]) -> str:
    copy = copies.get()
    file = copy / mutation.file
    whole = file.read_text()
    try:
        file.write_text(broken(whole, mutation))
        return _verdict(mutation.tests, copy)
    finally:
        file.write_text(whole)
        copies.put(copy)


def _verdict(tests: Sequence[str], copy: Path) -> str:
    command = [sys.executable, "-B", "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *tests]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {CRASH_SAMPLE: "all"}
    try:
        ended = subprocess.run(command, cwd=copy, env=environ, capture_output=True, timeout=_LONGEST, check=False)
    except subprocess.TimeoutExpired:
        return HUNG
    if ended.returncode not in (0, 1):
        raise RuntimeError(f"pytest could not run {' '.join(tests)}: {ended.stdout.decode()[-2000:]}")
    return CAUGHT if ended.returncode else SURVIVED


def _say(text: str) -> None:
    sys.stderr.write(text)
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
