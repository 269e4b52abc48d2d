"""`make soak MINUTES=10`: the exit code is 1 when anything was lost or doubled."""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks.soak.plan import Settings
from benchmarks.soak.report import table, write_json
from benchmarks.soak.soak import soak


def main(arguments: Sequence[str] | None = None) -> int:
    options = _options(arguments)
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("soak").setLevel(logging.INFO)
    folder = options.keep or Path(tempfile.mkdtemp(prefix="soak-"))
    settings = Settings(
        minutes=options.minutes,
        seed=options.seed,
        rate=options.rate,
        kill_every=options.kill_every,
        stall_every=options.stall_every,
        pause_every=options.pause_every,
        azurite_restarts=options.azurite_restarts,
        lease=options.lease,
        max_attempts=options.max_attempts,
        tidy=options.tidy,
    )
    outcome = asyncio.run(soak(settings, folder))
    print(table(outcome.figures, outcome.findings))
    print(f"logs and data are in {folder}", file=sys.stderr)
    if options.out is not None:
        write_json(options.out, outcome.figures, outcome.findings)
    return int(not outcome.is_clean)


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    known = Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=known.minutes, help="how long (default: %(default)g)")
    parser.add_argument("--seed", type=int, default=known.seed, help="of the plan (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=known.rate, help="starts a second (default: %(default)g)")
    parser.add_argument("--kill-every", type=float, default=known.kill_every, help="seconds (default: %(default)g)")
    parser.add_argument("--stall-every", type=float, default=known.stall_every, help="seconds (default: %(default)g)")
    parser.add_argument("--pause-every", type=float, default=known.pause_every, help="seconds (default: %(default)g)")
    parser.add_argument("--azurite-restarts", type=int, default=known.azurite_restarts, help="default: %(default)s")
    parser.add_argument("--lease", type=float, default=known.lease, help="of the hosts (default: %(default)g s)")
    parser.add_argument("--max-attempts", type=int, default=known.max_attempts, help="of a message (%(default)s)")
    parser.add_argument("--tidy", default=known.tidy, help="schedule of an extra janitor, such as '*/5 * * * * *'")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the figures and findings there as JSON")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="a new folder for logs and data")
    return parser.parse_args(arguments)


if __name__ == "__main__":
    sys.exit(main())
