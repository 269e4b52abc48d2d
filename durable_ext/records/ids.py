"""Derived ids and the rules for ids that people choose. Pure arithmetic: same values in, same id out."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import cast

from durable_ext.errors import InvalidInputError
from durable_ext.records.instance import Execution
from durable_ext.records.limits import MAX_INSTANCE_ID, MAX_NAME, MAX_TAG

# Begins the id of an entity, and stands between its name and its key.
ENTITY_MARK = "@"
# What people call the work items without a tag, where they list tags.
DEFAULT_TAG = "default"
_TAG = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
# Control characters, and halves of characters that no encoding has.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_FORBIDDEN = frozenset("/\\#?")
_FNV_OFFSET = 2166136261
_FNV_PRIME = 16777619
_UUID_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_OID, "9e952958-5e33-4daf-827f-2fa12937b875")


def check_instance_id(instance_id: str) -> str:
    """The id itself when it may name an instance, else InvalidInputError.

    Forbidden are those of Durable Functions: empty, longer than 256, `/ \\ # ?`, control characters, a leading `@`
    (entities).
    """
    _check_text("instance id", instance_id, MAX_INSTANCE_ID)
    if is_entity(instance_id):
        raise InvalidInputError(f"instance id {instance_id!r} starts with '@', which is kept for entities")
    return check_storable("instance id", instance_id)


def is_entity(instance_id: str) -> bool:
    """Whether an instance id is that of an entity."""
    return instance_id.startswith(ENTITY_MARK)


def check_storable(what: str, text: str) -> str:
    """The text itself when it has no character that storage keys cannot hold, else InvalidInputError."""
    if bad := _FORBIDDEN & set(text):
        raise InvalidInputError(f"{what} {text!r} contains {' '.join(sorted(bad))}; use other characters")
    return text


def check_name(what: str, name: str) -> str:
    """The name itself when it may name an orchestrator, an activity or an event, else InvalidInputError."""
    return _check_text(what, name, MAX_NAME)


def check_tag(tag: str) -> str:
    """The tag itself when it may route activities, else InvalidInputError; empty for `default`, which means none."""
    if len(tag) > MAX_TAG or not _TAG.fullmatch(tag):
        raise InvalidInputError(
            f"the tag {tag!r} is not 1 to {MAX_TAG} lowercase letters and digits, with single dashes between them"
        )
    return "" if tag == DEFAULT_TAG else tag


def _check_text(what: str, text: str, longest: int) -> str:
    if not isinstance(cast("object", text), str):
        raise InvalidInputError(f"{what} is a text, not of type {type(text).__qualname__}")
    if not text or not text.strip():
        raise InvalidInputError(f"{what} is empty")
    if len(text) > longest:
        raise InvalidInputError(f"{what} has {len(text)} characters; at most {longest} are allowed")
    if _UNPRINTABLE.search(text):
        raise InvalidInputError(f"{what} {text!r} contains control characters")
    return text


def message_id(execution: Execution, turn: int, position: int) -> str:
    """Id of what the event at `position` of a committed turn sends (P4)."""
    return f"{execution.execution_id}-{turn:x}-{position:x}"


def start_message_id(execution: Execution) -> str:
    """Id of the message that starts an execution for a client: the janitor can make it again from the row (P9)."""
    return f"{execution.execution_id}-start"


_RESULT = "-done"


def result_message_id(work_item_id: str) -> str:
    """Id of the completion of a work item: two runs of one work item answer with one id."""
    return work_item_id + _RESULT


def guard_of(trigger_id: str) -> str:
    """Id of the queue message behind a trigger: of an outcome that never was in a queue, its work item."""
    return trigger_id.removesuffix(_RESULT)


def child_instance_id(parent: Execution, task_id: int) -> str:
    """Id of a child orchestration that was not given one (design section 5)."""
    return f"{parent.execution_id}:{task_id}"


def child_execution_id(parent: Execution, task_id: int) -> str:
    """Execution id of a child, derived from the parent's execution and decision, so that a repeat is the same start."""
    return _digest("child", parent.execution_id, str(task_id))


def lock_id(execution: Execution, task_id: int) -> str:
    """The name of a lock on entities: who asked for it, and as which decision."""
    return f"{execution.execution_id}:{task_id}"


def next_execution_id(execution: Execution) -> str:
    """Execution id after continue-as-new."""
    return _digest("next", execution.execution_id)


def ending_execution_id(execution: Execution) -> str:
    """Execution id of the one in which an instance ends whose own history cannot be read."""
    return _digest("ending", execution.execution_id)


def seed(execution: Execution) -> int:
    """Seed of an execution's deterministic random numbers."""
    return int(_digest("seed", execution.execution_id), 16)


def deterministic_uuid(instance_id: str, time_text: str, counter: int) -> uuid.UUID:
    """The recipe of azure-functions-durable's `new_uuid`: uuid5 over instance, time and a counter."""
    return uuid.uuid5(_UUID_NAMESPACE, f"{instance_id}_{time_text}_{counter}")


def partition_of(instance_id: str, partitions: int) -> int:
    """Control queue of an instance: FNV-1a over the UTF-8 bytes of the raw id, as DurableTask.AzureStorage has it."""
    value = _FNV_OFFSET
    for byte in instance_id.encode():
        value = ((value ^ byte) * _FNV_PRIME) & 0xFFFFFFFF
    return value % partitions


def _digest(*parts: str) -> str:
    return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]
