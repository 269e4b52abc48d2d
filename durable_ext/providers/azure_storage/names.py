"""Names of a hub's artefacts and of the keys in them, as DurableTask.AzureStorage has them (design section 5)."""

from __future__ import annotations

import hashlib
import re

from durable_ext.errors import ConfigurationError
from durable_ext.records.ids import partition_of
from durable_ext.records.instance import Execution
from durable_ext.records.limits import MAX_PARTITIONS

_HUB = re.compile(r"[A-Za-z][A-Za-z0-9]{2,44}")

# Partition keys that no instance id escapes to: after `^` escaping puts `^`, a digit or a letter above U+00BF.
HUB_KEY = "^hub"
TOMBSTONES_KEY = "^tombstones"
PROCESSES_KEY = "^processes"
WITHDRAWN_KEY = "^withdrawn"
AFFINITIES_KEY = "^affinities"
QUARANTINE_FOLDER = "^quarantine"

# How the row keys of claims begin, behind those of all turns, which begin with a digit or a letter from A to F.
CLAIM_PREFIX = "^claim-"
# Of progress reports, behind the claims.
PROGRESS_PREFIX = "^progress-"
AFTER_TURNS = "^"

_ESCAPES = {ord("^"): "^^", ord("/"): "^0", ord("\\"): "^1", ord("#"): "^2", ord("?"): "^3"} | {
    code: "^" + chr(0xC0 + code) for code in (*range(0x20), *range(0x7F, 0xA0))
}
_NEEDS_ESCAPE = re.compile(r"[\^/\\#?\x00-\x1f\x7f-\x9f]")
_ESCAPED = re.compile(r"\^(.)", re.DOTALL)
_SIZE = re.compile(r"[0-9a-f]{64}-([0-9]{1,15})\.json\.gz$")
_ORIGINALS = {text[1]: chr(code) for code, text in _ESCAPES.items()}

POISON_SUFFIX = "-poison"
_LONGEST_QUEUE = 63 - len(POISON_SUFFIX)

# Row keys, under HUB_KEY, of the tags that the hub has queues for.
TAG_PREFIX = "tag-"


class HubNames:
    """Every name of one hub. Raises ConfigurationError for a hub or partition count that cannot be."""

    def __init__(self, hub: str, partitions: int) -> None:
        if not _HUB.fullmatch(hub):
            raise ConfigurationError(
                f"the task hub name {hub!r} is not 3 to 45 letters and digits that start with a letter"
            )
        if not 1 <= partitions <= MAX_PARTITIONS:
            raise ConfigurationError(f"{partitions} partitions were asked for; a hub has 1 to {MAX_PARTITIONS}")
        lower = hub.lower()
        self.hub = hub
        self.partitions = partitions
        self.control = tuple(f"{lower}-control-{number:02}" for number in range(partitions))
        self.work = f"{lower}-workitems"
        self.instances = f"{hub}Instances"
        self.history = f"{hub}History"
        self.quarantine = f"{hub}Quarantine"
        self.blobs = f"{lower}-largemessages"

    def work_of(self, tag: str) -> str:
        """The queue of the work items with a tag. With a long hub name, a digest of the tag: the name has to hold the
        host's suffix for poison, too."""
        if not tag:
            return self.work
        lower = self.hub.lower()
        name = f"{lower}-work-{tag}"
        return name if len(name) <= _LONGEST_QUEUE else f"{lower}-t{digest(tag)[:8]}"

    def control_of(self, instance_id: str) -> str:
        """The control queue of an instance."""
        return self.control[partition_of(instance_id, self.partitions)]


def escape(instance_id: str) -> str:
    """The partition key of an instance id."""
    return instance_id.translate(_ESCAPES) if _NEEDS_ESCAPE.search(instance_id) else instance_id


def unescape(key: str) -> str:
    """The instance id of a partition key."""
    return _ESCAPED.sub(lambda found: _ORIGINALS[found[1]], key) if "^" in key else key


def folder(instance_id: str, owner: str = "") -> str:
    """Where the blobs of an instance are, with the slash: `order-1/` is no prefix of `order-10/`. Those that belong to
    one execution or message, their owner, have a folder in it.

    Storage, and every proxy on the way, resolves `..` and drops dots that end a path segment, so those become `^4`,
    which escaping does not produce.
    """
    escaped = escape(instance_id)
    kept = escaped.rstrip(".")
    return kept + "^4" * (len(escaped) - len(kept)) + "/" + (f"{digest(owner)}/" if owner else "")


def content_name(data: bytes) -> str:
    """The blob name of a content (P1). It tells the size, so that who reads it knows where to stop."""
    return f"{hashlib.sha256(data).hexdigest()}-{len(data)}.json.gz"


def size_in(name: str) -> int | None:
    """The size of its content that a blob name tells; None for one that an earlier build made."""
    found = _SIZE.search(name)
    return None if found is None else int(found[1])


def generation_key(generation: int) -> str:
    """How the row keys of a generation's turns begin; keys sort as generations do."""
    return f"{generation:08X}-"


def turn_key(execution: Execution, number: int) -> str:
    """Row key of a turn."""
    return f"{generation_key(execution.generation)}{escape(execution.execution_id)}-{number:08X}"


def digest(text: str) -> str:
    """A short key for a text that may be too long for one, or hold what keys cannot."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]
