"""The logger of one call of an activity: its lines name the activity, the instance, the task and the attempt."""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from durable_ext.authoring.activity_context import ActivityContext

_LOGGER = logging.getLogger("durable_ext.activity")


class _CallLogger(logging.LoggerAdapter[logging.Logger]):
    """Adds the fields of the call to those that a line brings along."""

    def process(self, msg: Any, kwargs: MutableMapping[str, Any]) -> tuple[Any, MutableMapping[str, Any]]:
        return msg, {**kwargs, "extra": {**(kwargs.get("extra") or {}), **(self.extra or {})}}


def activity_logger(context: ActivityContext) -> logging.LoggerAdapter[logging.Logger]:
    """A child of `durable_ext.activity` with the activity's name."""
    fields = {
        "activity": context.name,
        "instance_id": context.instance_id,
        "execution_id": context.execution_id,
        "task_id": context.task_id,
        "attempt": context.attempt,
    }
    return _CallLogger(_LOGGER.getChild(context.name) if context.name else _LOGGER, fields)
