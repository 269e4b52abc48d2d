"""A storage client that counts: what goes through it is what the storage account sees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from inspect import iscoroutinefunction
from typing import Any, cast

from durable_ext.providers.azure_storage.client import StorageClient

_POLL = "get_messages"


class Counts:
    """Calls by verb and place. `polls` are the calls that asked a queue for messages, whether it had any or not."""

    def __init__(self) -> None:
        self.by_verb: Counter[str] = Counter()

    def add(self, verb: str, place: str) -> None:
        """One call: `put_message` on a control queue is counted as `put_message control`."""
        self.by_verb[f"{verb} {_kind(place)}"] += 1

    def clear(self) -> None:
        """Begin at zero."""
        self.by_verb.clear()

    @property
    def polls(self) -> int:
        """All polls."""
        return sum(count for verb, count in self.by_verb.items() if verb.startswith(_POLL))

    @property
    def calls(self) -> dict[str, int]:
        """Everything else."""
        return {verb: count for verb, count in sorted(self.by_verb.items()) if not verb.startswith(_POLL)}


class _Counting:
    def __init__(self, client: StorageClient, counts: Counts) -> None:
        self._client = client
        self._counts = counts

    def __getattr__(self, verb: str) -> Callable[..., Any]:
        call = getattr(self._client, verb)
        if verb == "close" or not iscoroutinefunction(call):
            return call

        def counted(place: str, *rest: Any, **named: Any) -> Awaitable[Any]:
            self._counts.add(verb, place)
            return call(place, *rest, **named)

        return counted


def counting(client: StorageClient, counts: Counts) -> StorageClient:
    """The client with every call counted. A verb is one storage call, as long as nothing has to be tried again."""
    return cast(StorageClient, _Counting(client, counts))


def _kind(place: str) -> str:
    """What a table, queue or container is, without the hub and the partition."""
    for kind in ("Instances", "History", "Quarantine", "control", "workitems", "largemessages"):
        if kind in place:
            return kind
    return place
