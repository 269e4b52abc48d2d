"""How far a running activity is: what its code said last. Kept while it runs, for callers and for its next run."""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.payloads import Payload


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The newest progress of one work item (a message id). `time` is aware UTC; `value` is in place."""

    instance_id: str
    work_item: str
    task_id: int
    name: str
    time: datetime
    value: Payload
