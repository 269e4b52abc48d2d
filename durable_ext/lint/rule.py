"""One rule of the check."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Level = Literal["error", "warning"]


@dataclass(frozen=True)
class Rule:
    """`what` is a sentence for people, `remedy` a clause; `bad` and `good` are whole modules, but for the imports
    that `PREAMBLE` makes."""

    code: str
    name: str
    what: str
    remedy: str
    bad: str
    good: str
    level: Level = "error"


# What stands above each example.
PREAMBLE = """\
import asyncio

import durable_ext as df

app = df.DurableApp()


@app.activity
async def charge(amount: int) -> int:
    return amount


"""
