"""Emits the lines an orchestrator logged, once its turn is committed."""

from __future__ import annotations

import logging
from collections.abc import Sequence

from durable_ext.authoring.decisions import LogLine
from durable_ext.records.instance import InstanceRow

_LOGGER = logging.getLogger("durable_ext.orchestrator")


def emit(row: InstanceRow, lines: Sequence[LogLine]) -> None:
    """Write the lines to the user's logger, or to the orchestrator's own, marked with the instance."""
    for line in lines:
        target = line.logger if isinstance(line.logger, logging.Logger) else _LOGGER.getChild(row.name)
        target.log(line.level, "%s", line.text, extra={"instance_id": row.instance_id, "orchestrator": row.name})
