"""Which messages of a batch are news, and for which state: what P6, P7, P9 and P12 ask of a receiver."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from durable_ext.errors import DurableError, InstanceExistsError, StorageError
from durable_ext.providers.contract import VersionedRow
from durable_ext.records.events import ExecutionStarted, Input
from durable_ext.records.ids import is_entity
from durable_ext.records.instance import InstanceRow
from durable_ext.records.messages import (
    FinishChild,
    FireTimer,
    Message,
    RunOperation,
    StartExecution,
    Terminate,
)
from durable_ext.replay.ending import beginning_of, is_ending
from durable_ext.replay.entity_outbox import asker_of
from durable_ext.replay.ledger import Ledger, Verdict
from durable_ext.replay.live import LiveExecution
from durable_ext.replay.outbox import Owed
from durable_ext.worker.admitted import Admitted, Repair
from durable_ext.worker.deferral import GUARDED_FOR, Deferral
from durable_ext.worker.earlier import books_under, may_be_repeat
from durable_ext.worker.entities.admission import begin_entity, is_in_order, start_of
from durable_ext.worker.entities.past import look_back
from durable_ext.worker.items import Item
from durable_ext.worker.rewinding import answer, asks_again
from durable_ext.worker.services import Services
from durable_ext.worker.state import Absent, SessionState
from durable_ext.worker.terminations import instead_of_next

logger = logging.getLogger("durable_ext.admission")

# A timer this early is sent again; clocks of storage and worker may differ by less.
_EARLY_TIMER = timedelta(seconds=1)
# A parent's termination may overtake the start of the child; after some minutes there was none.
_MOST_WAITS_FOR_CHILD = 10


class Admission:
    """Judges the messages of one instance."""

    def __init__(self, instance_id: str, services: Services, deferral: Deferral) -> None:
        self._instance_id = instance_id
        self._is_entity = is_entity(instance_id)
        self._services = services
        self._deferral = deferral

    async def admit(self, kept: SessionState | None, batch: Sequence[Item], trigger: Item | None) -> Admitted:
        """Sort out a batch. Storage is read when no state is kept, and before anything is dropped on a kept one's word.

        Raises StorageError.
        """
        if self._is_entity:
            refusal = self._services.acceptance.entity_refusal(self._instance_id)
            if refusal is not None and not _terminations(batch):
                return await self._leave(kept, batch, trigger, refusal)
        # A start comes first, whatever overtook it.
        if len(batch) > 1:
            batch = sorted(batch, key=lambda item: not isinstance(item.message.body, StartExecution))
        starting = next((item for item in batch if _begins_another(item.message, kept)), None)
        if starting is not None:
            _drop(kept)
            kept = None
        admitted = None
        if starting is not None and _starts_alone(starting, batch) and self._is_fresh(starting):
            admitted = await self._sort(_fresh(self._services, starting.message), batch, trigger)
        elif kept is not None:
            admitted = await self._sort(kept, batch, trigger)
            if admitted.is_doubtful:
                _drop(kept)
                admitted = None
        if admitted is None:
            admitted = await self._admit_anew(batch, trigger)
        admitted.deal_with()
        await self._put_off(admitted)
        return admitted

    async def _leave(
        self, kept: SessionState | None, batch: Sequence[Item], trigger: Item | None, refusal: DurableError
    ) -> Admitted:
        """All of it is for a worker that has the entity."""
        _drop(kept)
        admitted = Admitted(None)
        admitted.refusal = refusal
        firsts = {} if trigger is None else {trigger.message.id: trigger}
        for item in batch:
            first = firsts.setdefault(item.message.id, item)
            if first is not item:
                first.share_fate(item)
            else:
                admitted.refused.append(item)
        await self._put_off(admitted)
        return admitted

    async def passes_on(self, state: SessionState, trigger: Item | None) -> bool:
        """Whether a worker that takes its version begins the next execution: it gets the trigger, a repeat (P6)."""
        refusal = None if trigger is None else self._services.acceptance.waits(state)
        carried = () if state.to_continue is None else state.to_continue.carried
        if trigger is None or refusal is None or is_ending(carried):
            return False
        await self._deferral.leave(trigger, str(refusal))
        return True

    async def _admit_anew(self, batch: Sequence[Item], trigger: Item | None) -> Admitted:
        found = await self._load(batch)
        if self._is_entity:
            found = await begin_entity(self._services, found, self._instance_id, batch) or found
        else:
            found = await self._begin(found, batch) or found
        if isinstance(found, Absent):
            found = await self._services.terminations.without_history(found, _terminations(batch)) or found
        if isinstance(found, Absent):
            return _without_history(found, batch)
        return await self._sort(found, batch, trigger)

    async def _load(self, batch: Sequence[Item]) -> SessionState | Absent:
        """What storage has. A history that cannot be read keeps nobody from terminating the instance."""
        try:
            return await self._services.loader.load(self._instance_id)
        except StorageError as error:
            return await self._services.terminations.damaged(self._instance_id, _terminations(batch), error)

    def _is_fresh(self, starting: Item) -> bool:
        now = self._services.clock()
        return not _starts_later(starting.message, now) and self._services.loader.is_fresh(
            starting.message, now, repeated=starting.repeated
        )

    async def _begin(self, found: SessionState | Absent, batch: Sequence[Item]) -> SessionState | None:
        """The state of an execution that a start of this batch may begin (P9); other children of its id are refused."""
        begun: SessionState | None = None
        for item in batch:
            body = item.message.body
            if not isinstance(body, StartExecution) or _starts_later(item.message, self._services.clock()):
                continue
            if isinstance(found, SessionState) and found.execution.execution_id == body.execution.execution_id:
                continue
            is_held = _is_held(body, found)
            is_old = item.repeated or _takes_over(body, found)
            if is_old and await self._deferral.is_settled(item.message, is_held=is_held):
                continue
            child = asks_again(body, found)
            if child is not None:
                await answer(self._services, item.message, body, child)
                continue
            absent = _as_absent(found)
            if body.execution.execution_id in absent.buried:
                await self._end_purge(body, absent)
                continue
            try:
                state = await self._services.loader.begin(body, absent)
            except InstanceExistsError as error:
                await self._deferral.refuse(item.message, error)
                continue
            if state is not None:
                begun = found = state
        return begun

    async def _end_purge(self, start: StartExecution, absent: Absent) -> None:
        """A start of a purged execution does not run. If its row is there, the purge did not come to its end, or a
        process that stalled wrote the row behind it: nothing else would take it (P10)."""
        stored = absent.stored
        if stored is not None and stored.row.execution.execution_id == start.execution.execution_id:
            await self._services.catalog.purge(stored.row, etag=stored.etag)
            logger.info("instance %s was purged: its row goes, too", stored.row.instance_id)

    async def _sort(self, state: SessionState, batch: Sequence[Item], trigger: Item | None) -> Admitted:
        state, first = instead_of_next(state, _terminations(batch))
        admitted = Admitted(state)
        admitted.inputs += first
        admitted.refusal = self._services.acceptance.waits(state)
        # Other deliveries of one message share its fate: none may be completed while it is still answerable (P5).
        firsts = {} if trigger is None else {trigger.message.id: trigger}
        for item in batch:
            first = firsts.setdefault(item.message.id, item)
            if first is not item:
                first.share_fate(item)
            elif admitted.refuses(item):
                admitted.refused.append(item)
            elif await self._is_repeat(state, item) and await self._repairs(admitted, state, item):
                continue
            elif item.message.after:
                await self._enter_in_order(admitted, state, item)
            else:
                self._enter(admitted, state, item)
        if self._is_entity:
            await self._complete(admitted, state)
        if admitted.inputs and not state.ledger.turns and not isinstance(admitted.inputs[0], ExecutionStarted):
            admitted.inputs.insert(0, start_of(state) if self._is_entity else beginning_of(state.row))
        return admitted

    async def _enter_in_order(self, admitted: Admitted, state: SessionState, item: Item) -> None:
        accepted = [taken.message.id for taken in admitted.accepted]
        if await is_in_order(self._services, state, item.message, accepted):
            self._enter(admitted, state, item)
        else:
            admitted.behind.append(item)

    async def _complete(self, admitted: Admitted, state: SessionState) -> None:
        """What was behind others of the batch comes after them; what still is behind waits (P12)."""
        left = len(admitted.behind) + 1
        while admitted.behind and len(admitted.behind) < left:
            left, behind = len(admitted.behind), admitted.behind
            admitted.behind = []
            for item in behind:
                await self._enter_in_order(admitted, state, item)
        admitted.early += admitted.behind

    async def _is_repeat(self, state: SessionState, item: Item) -> bool:
        return item.repeated or await may_be_repeat(self._services, state, item.message)

    async def _repairs(self, admitted: Admitted, state: SessionState, item: Item) -> bool:
        """Whether a repeated message was consumed before; if so it is entered with what is still owed under it (P6)."""
        ledger, message_id = state.ledger, item.message.id
        repair = await self._repair_of(state, item)
        if repair is None:
            return False
        self._services.notices.committed_again(ledger.recorded, message_id, state.row.name)
        last = ledger.last_turn
        continues = state.to_continue is not None and last is not None and last.trigger_id == message_id
        if not (repair.owed or repair.withdrawn or continues or repair.is_open):
            admitted.dropped.append(item)
        elif await self._services.heartbeat.recovered_elsewhere(item.message):
            admitted.guarded.append(item)
        else:
            admitted.repairs.append(repair)
        return True

    async def _repair_of(self, state: SessionState, item: Item) -> Repair | None:
        """What is owed under a message that was consumed before; None when it was not."""
        ledger, message = state.ledger, item.message
        goes_on = item.came_back and (ledger.ended is None or state.to_continue is not None)
        if self._is_entity:
            past = await look_back(self._services, state, message.id, message.sent_at, asker_of(message))
            return Repair(item, past.owed, (), past.is_open and goes_on) if past.known else None
        books = await books_under(self._services, state, message.id)
        if not books:
            return None
        owed = tuple(entry for one in books for entry in one.owed_under(message.id))
        withdrawn = tuple(work_item for one in books for work_item in one.withdrawn_under(message.id))
        is_open = goes_on and any(one.has_open_trigger(message.id) for one in books)
        return Repair(item, owed + _report_again(message, ledger, message.id), withdrawn, is_open)

    def _enter(self, admitted: Admitted, state: SessionState, item: Item) -> None:
        match state.ledger.judge(item.message):
            case Verdict.KNOWN:
                admitted.dropped.append(item)
            case Verdict.EARLY:
                admitted.early.append(item)
            case Verdict.OVER:
                admitted.over.append(item)
            case event:
                self._accept(admitted, state, item, event)

    def _accept(self, admitted: Admitted, state: SessionState, item: Item, event: Input) -> None:
        body = item.message.body
        if isinstance(event, ExecutionStarted):
            event = msgspec.structs.replace(event, previous=event.previous or state.previous)
        if isinstance(body, FireTimer):
            live = state.live
            if isinstance(live, LiveExecution) and not item.repeated and not live.wants_timer(body.task_id):
                # The code cancelled it. One that is sent again is recorded, so that the janitor misses it no more.
                admitted.dropped.append(item)
                return
        due = _due_of(item.message)
        is_early = due is not None and due - self._services.clock() > _EARLY_TIMER
        # What an entity is asked behind its termination is for the one that is made anew.
        if is_early or (self._is_entity and admitted.is_ending):
            admitted.early.append(item)
        else:
            admitted.accept(item, event)

    async def _put_off(self, admitted: Admitted) -> None:
        for item in admitted.early:
            await self._deferral.put_off(item, admitted.starts_at)
        for item in admitted.refused:
            await self._deferral.leave(item, str(admitted.refusal))
        for item in admitted.guarded:
            await self._deferral.put_off(item, self._services.clock() + GUARDED_FOR)
        for item in admitted.over:
            logger.info(
                "instance %s: %s is dropped: its execution is over or unknown",
                self._instance_id,
                type(item.message.body).__name__,
            )
        admitted.dropped += admitted.early + admitted.refused + admitted.guarded + admitted.over


def _due_of(message: Message) -> datetime | None:
    """Before when a timer or a signal for later must not be taken: no queue waits longer than a week."""
    match message.body:
        case FireTimer() as body:
            return body.fire_at
        case RunOperation():
            return message.due
        case _:
            return None


def _terminations(batch: Sequence[Item]) -> list[Message]:
    return [item.message for item in batch if isinstance(item.message.body, Terminate)]


def _starts_alone(starting: Item, batch: Sequence[Item]) -> bool:
    """Whether nobody else in the batch wants the id: who gets it, and who hears that it is taken, is for the row."""
    return not any(_begins_another(item.message, None) and item.message.id != starting.message.id for item in batch)


def _begins_another(message: Message, kept: SessionState | None) -> bool:
    body = message.body
    if not isinstance(body, StartExecution):
        return False
    return kept is None or kept.execution.execution_id != body.execution.execution_id


def _report_again(message: Message, ledger: Ledger, message_id: str) -> tuple[Owed, ...]:
    """A parent that sends the start of its child again has not heard how the child ended."""
    last = ledger.last_turn
    if last is None or last.trigger_id == message_id or not isinstance(message.body, StartExecution):
        return ()
    return tuple(owed for owed in ledger.owed_by(last) if isinstance(owed.message.body, FinishChild))


def _starts_later(message: Message, now: datetime) -> bool:
    """Whether a start came before its time: no queue waits longer than a week."""
    body = message.body
    return (
        isinstance(body, StartExecution)
        and body.scheduled_start is not None
        and body.scheduled_start - now > _EARLY_TIMER
    )


def _takes_over(start: StartExecution, found: SessionState | Absent) -> bool:
    """Whether a child's start finds an id that others had or have. They may be what became of the child itself: whoever
    brings the start may have slept while it ran, and went on as another execution."""
    return not start.row_etag and _row_in(found) is not None


def _is_held(start: StartExecution, found: SessionState | Absent) -> bool:
    """Whether an instance that goes on has the id, in another execution."""
    row = _row_in(found)
    return row is not None and row.execution.execution_id != start.execution.execution_id and not row.status.is_terminal


def _row_in(found: SessionState | Absent) -> InstanceRow | None:
    if isinstance(found, SessionState):
        return found.row
    return None if found.stored is None else found.stored.row


def _as_absent(found: SessionState | Absent) -> Absent:
    if isinstance(found, Absent):
        return found
    return Absent(VersionedRow(found.row, found.etag), frozenset())


def _without_history(absent: Absent, batch: Sequence[Item]) -> Admitted:
    admitted = Admitted(None)
    admitted.starts_at = None if absent.stored is None else absent.stored.row.scheduled_start
    for item in batch:
        (admitted.early if _may_yet_start(absent, item) else admitted.over).append(item)
    return admitted


def _may_yet_start(absent: Absent, item: Item) -> bool:
    """Whether the message came ahead of the start of its instance (P12)."""
    body = item.message.body
    if isinstance(body, StartExecution):
        return absent.is_pending and (body.scheduled_start is not None or body.rewinds is not None)
    if isinstance(body, Terminate) and body.by_parent and absent.stored is None:
        return item.message.deferrals < _MOST_WAITS_FOR_CHILD
    return absent.is_pending


def _fresh(services: Services, starting: Message) -> SessionState:
    if not isinstance(starting.body, StartExecution):
        raise LookupError("only a start begins an execution")
    return services.loader.fresh(starting.body)


def _drop(state: SessionState | None) -> None:
    if state is not None:
        state.drop()
