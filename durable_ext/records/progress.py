"""How far a running activity is: what its code said last. Kept while it runs, for callers and for its next run.

Processes note the attempts at suspicious messages in the same place: it is written over, read by instance, and deleted.
"""

from __future__ import annotations

from datetime import datetime

import msgspec

from durable_ext.records.payloads import Payload

# The task of a report that is none of an activity's: a process noted an attempt at a message.
ATTEMPT_NOTED = -1


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """The newest progress of one work item (a message id). `time` is aware UTC; `value` is in place.

    With `task_id` ATTEMPT_NOTED it is the note of an attempt: `work_item` is the note's own id.
    """

    instance_id: str
    work_item: str
    task_id: int
    name: str
    time: datetime
    value: Payload
