"""Which instances a command means: conditions that storage looks at, and tags, which are looked at here."""

from __future__ import annotations

import argparse
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import msgspec

from durable_ext.host.cli import arguments
from durable_ext.providers.contract import InstanceFilter
from durable_ext.records.instance import RuntimeStatus

if TYPE_CHECKING:
    from durable_ext.authoring.status import InstanceStatus
    from durable_ext.worker.client import Client

_TIMES = ("created", "updated", "completed")


def add_filter_options(parser: argparse.ArgumentParser, *, tags: bool = False, entities: bool = False) -> None:
    """Which instances are meant. `tags`: by tag as well; `entities`: without entities unless told otherwise."""
    group = parser.add_argument_group("filter", "Every condition given must hold.")
    known = ", ".join(status.value for status in RuntimeStatus)
    group.add_argument(
        "--status", metavar="STATUS", action="append", type=arguments.status, default=[], help=f"any of {known}"
    )
    group.add_argument("--prefix", metavar="TEXT", default="", help="the id starts with it")
    group.add_argument("--name", metavar="NAME", default="", help="the name of the orchestrator")
    for word in _TIMES:
        for end in ("from", "to"):
            group.add_argument(
                f"--{word}-{end}",
                metavar="TIME",
                type=arguments.time,
                help="ISO 8601; UTC unless it says otherwise",
            )
    group.add_argument("--version", metavar="VERSION", default="", help="the version it was started with")
    if tags:
        group.add_argument(
            "--tag", metavar="KEY=VALUE", action="append", type=arguments.tag, default=[], help="it has this tag"
        )
    if entities:
        group.add_argument("--entities", action="store_true", help="entities too")
        group.add_argument(
            "--stuck", action="store_true", help="a message of it is in quarantine, and it does not go on"
        )


def filter_of(options: argparse.Namespace) -> InstanceFilter:
    """The conditions for storage that the options describe."""
    times = {f"{word}_{end}": getattr(options, f"{word}_{end}") for word in _TIMES for end in ("from", "to")}
    return InstanceFilter(
        statuses=frozenset(options.status),
        version=options.version,
        id_prefix=options.prefix,
        name=options.name,
        entities=None if getattr(options, "entities", True) else False,
        stuck=getattr(options, "stuck", False),
        **times,
    )


async def matching(
    client: Client, where: InstanceFilter, tags: list[tuple[str, str]], *, with_input: bool = False
) -> AsyncIterator[InstanceStatus]:
    """The instances of a filter that have all these tags, ordered by id."""
    async for status in client.list(where, with_input=with_input):
        if dict(tags).items() <= status.tags.items():
            yield status


async def counted(client: Client, where: InstanceFilter, tags: list[tuple[str, str]]) -> dict[str, int]:
    """How many of them there are, by status."""
    if not tags:
        return {status.value: number for status, number in sorted((await client.count(where)).items())}
    found: dict[str, int] = {}
    async for status in matching(client, where, tags):
        found[status.runtime_status.value] = found.get(status.runtime_status.value, 0) + 1
    return dict(sorted(found.items()))


def is_given(options: argparse.Namespace) -> bool:
    """Whether there is any condition."""
    where = msgspec.structs.replace(filter_of(options), entities=None)
    return where != InstanceFilter() or bool(getattr(options, "tag", ()))
