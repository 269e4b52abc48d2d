"""The first turn of a rewound execution, and what becomes of the children its parent asks for again."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from durable_ext.errors import InstanceStateError
from durable_ext.records.events import Event, ExecutionStarted, Input
from durable_ext.records.instance import InstanceRow, RuntimeStatus
from durable_ext.records.messages import FinishChild, Message, StartExecution
from durable_ext.records.turns import expanded
from durable_ext.replay.ending import is_ending
from durable_ext.replay.inputs import is_child
from durable_ext.replay.rewinding import rewound
from durable_ext.worker.acceptance import closed
from durable_ext.worker.offload import load_turns, move_message
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent, SessionState


async def opening(
    services: Services, state: SessionState, inputs: Sequence[Input]
) -> tuple[tuple[Event, ...], Sequence[Input]]:
    """What turn 0 of a rewound execution begins with, and the inputs that are left; the code is then in `state`.

    Nothing, and all inputs, for any other turn, and when it is terminated before it has begun. Without the history
    that is to be kept it fails at once. Raises StorageError, and NonDeterminismError when the code no longer fits that
    history (R3).
    """
    rewinds, started = state.row.rewinds, inputs[0] if inputs else None
    if state.ledger.turns or rewinds is None or not isinstance(started, ExecutionStarted) or is_ending(inputs):
        return (), inputs
    turns = await services.catalog.history(state.execution.instance_id, rewinds.execution_id)
    if not turns:
        # A purge was under way when the row was replaced: it is left alone then, and nothing else would end it (P10).
        gone = InstanceStateError(
            f"the history of execution {rewinds.execution_id} of instance {state.execution.instance_id!r}, which is to "
            "be rewound, is gone: it was purged; start the instance anew"
        )
        state.live = services.loader.begun(state)
        return closed(inputs, gone).events, ()
    loaded = await load_turns(services.payloads, expanded(turns))
    beginning = rewound(lambda: services.loader.begun(state), turns, loaded, rewinds.reason)
    state.live = beginning.live
    state.not_before = turns[-1].time
    first, *rest = beginning.events
    if isinstance(first, ExecutionStarted):
        first = msgspec.structs.replace(first, previous=rewinds.execution_id, parent=started.parent)
    return (first, *rest), inputs[1:]


def asks_again(start: StartExecution, found: SessionState | Absent) -> InstanceRow | None:
    """The row of the child that a rewound parent asks for again, when it has not failed and was not begun for it."""
    row = found.row if isinstance(found, SessionState) else None if found.stored is None else found.stored.row
    if start.rewinds is None or row is None or row.execution.execution_id == start.execution.execution_id:
        return None
    goes_on = not row.status.is_terminal or row.status is RuntimeStatus.COMPLETED
    return row if goes_on and is_child(row.parent, start) else None


async def answer(services: Services, message: Message, start: StartExecution, row: InstanceRow) -> None:
    """Tell a rewound parent the result of a child that had returned already (P4: the id derives from the question)."""
    if start.parent is None or row.status is not RuntimeStatus.COMPLETED:
        return
    told = Message(
        id=f"{message.id}-again",
        instance_id=start.parent.instance_id,
        execution_id=start.parent.execution_id,
        body=FinishChild(task_id=start.parent.task_id, result=row.output),
        sent_at=services.clock(),
    )
    await services.provider.send([await move_message(services.payloads, told)])
