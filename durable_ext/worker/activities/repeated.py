"""Whether a work item that comes again is to be run again (P7). Only repeats ask; the hot path pays nothing."""

from __future__ import annotations

from durable_ext.records.events import ExecutionTerminated
from durable_ext.records.messages import Message
from durable_ext.replay.ledger import Verdict
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent


async def is_settled(services: Services, work_item: Message, answer: Message) -> bool:
    """Whether nobody needs the item: its answer is in history, nobody waits for it, or its instance is purged.

    An activity of an execution that ended by itself was asked for all the same, and may never have begun. Raises
    StorageError.
    """
    found = await services.loader.load(work_item.instance_id)
    if isinstance(found, Absent):
        return True
    if found.execution.execution_id != work_item.execution_id:
        return False
    if isinstance(found.ledger.ended, ExecutionTerminated):
        return True
    return found.ledger.judge(answer) is Verdict.KNOWN
