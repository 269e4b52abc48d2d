"""`python -m durable_ext` is the `durable` command."""

from __future__ import annotations

import sys

from durable_ext.host.cli import main

if __name__ == "__main__":
    sys.exit(main())
