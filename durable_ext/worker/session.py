"""A session: consecutive turns of one instance in one process (S1 to S6).

Messages arrive in the inbox; all that are there take part in the next turn. The first delivery is the trigger: every
turn names it, and it is settled last, when nothing these turns asked for is under way here any more (P5). Any error
ends the session: its deliveries are abandoned, come back, and the turns in history repair what was owed (P6).
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from datetime import timedelta

import msgspec

from durable_ext.errors import LeaseLostError, TurnLostError
from durable_ext.records.ids import is_entity, result_message_id
from durable_ext.records.messages import FinishTask, FireTimer, Message
from durable_ext.records.turns import Turn
from durable_ext.replay.entity_outbox import answers, asker_of
from durable_ext.replay.outbox import Owed, is_report
from durable_ext.worker.activities.held_work import HeldWork
from durable_ext.worker.admission import Admission
from durable_ext.worker.admitted import Admitted
from durable_ext.worker.committing import commit
from durable_ext.worker.deferral import Deferral
from durable_ext.worker.items import Item
from durable_ext.worker.returned import Place, Returned, place_of
from durable_ext.worker.routing import Neighbours, Router
from durable_ext.worker.services import Services
from durable_ext.worker.state import SessionState
from durable_ext.worker.telemetry import Counted

logger = logging.getLogger("durable_ext.session")

# Each lost turn means that somebody else made progress; so many in a row mean that something is wrong.
_MOST_LOST_TURNS = 20
# What failed so often goes by queue, each activity by itself: one that kills its process then fails alone (P11).
ATTEMPTS_HERE = 2
_LONGEST_WITHOUT_REST = timedelta(seconds=5)


class Session:
    """The session of one instance. `state` is what it leaves in memory for the next (S2)."""

    def __init__(self, instance_id: str, services: Services, neighbours: Neighbours) -> None:
        self.instance_id = instance_id
        self._is_entity = is_entity(instance_id)
        self.state: SessionState | None = None
        self._services = services
        self._inbox: deque[Item] = deque()
        self._wake = asyncio.Event()
        self._held = HeldWork(services, self._report, self._break, self._wake.set)
        self._router = Router(services, self._held, neighbours)
        self._admission = Admission(instance_id, services, Deferral(services))
        self._trigger: Item | None = None
        self._unsettled: set[Item] = set()
        self._answers: set[Item] = set()  # outcomes of local work that no turn has recorded yet
        self._repaired: dict[str, Item] = {}
        self._reports: list[Owed] = []
        self._returned = Returned(services)
        self._lost: Place | None = None  # the turn that somebody else took
        self._broken: BaseException | None = None
        self._lagged = False  # the row, for long enough
        self._winding_down = False
        self._opened_at = self._triggered_at = services.clock()
        self._projected_at = self._opened_at

    def offer(self, item: Item) -> None:
        """Put a message into the inbox."""
        self._inbox.append(item)
        self._wake.set()

    def wind_down(self) -> None:
        """Place nothing here any more, and give what is held to the queues (S5)."""
        self._winding_down = True
        self._wake.set()

    def lose(self, item: Item) -> None:
        """The lease of a delivery is lost. If it is the trigger, others may repair by now: stop quietly (S6)."""
        if item is self._trigger:
            self._break(LeaseLostError(f"instance {self.instance_id!r}: the lease of its trigger was lost"))

    async def run(self) -> None:
        """Take turns until nothing is left to do. Raises nothing: an error goes to the deliveries (P6)."""
        self._opened_at = self._projected_at = self._services.clock()
        try:
            while self._inbox or self._held or self._reports or self._returned.waiting:
                self._give_back()
                batch = await self._next_batch()
                self._unsettled.update(batch)
                if batch:
                    await self._process(batch)
                if self._returned.waiting:
                    await self._settle_waiting()
                if not self._held and not self._awaits_answers():
                    await self._come_to_rest()
                elif not batch and not self._held:
                    raise LookupError(f"the session of instance {self.instance_id!r} waits for nothing")
            self._check_that_all_is_settled()
        except Exception as error:  # noqa: BLE001 - the session ends; its deliveries come back and repair (P6)
            self._fail(error)

    def _awaits_answers(self) -> bool:
        """Whether outcomes of local work are still to be recorded; a twin is done with the first of them."""
        self._answers = {item for item in self._answers if not item.done.done()}
        return bool(self._answers)

    def _check_that_all_is_settled(self) -> None:
        """No promise stays open: a delivery nobody settles would be held until the process ends."""
        if self._broken is not None:
            raise self._broken
        if any(not item.done.done() for item in self._unsettled):
            raise LookupError(f"the session of instance {self.instance_id!r} ended with messages it had not dealt with")

    def _must_rest(self) -> bool:
        """Whether others have to wait until the trigger is let go: an entity may always be asked for something (S5)."""
        if self._trigger is None or not self._is_entity:
            return False
        return self._services.clock() - self._triggered_at > _LONGEST_WITHOUT_REST

    async def _next_batch(self) -> list[Item]:
        must_rest = self._must_rest()
        while not self._may_take(must_rest) and self._held and self._broken is None and not self._returned.waiting:
            if self._winding_down and self._held.runs_here:
                return []
            self._wake.clear()
            if not await self._woken():
                await self._project()
        if self._broken is not None:
            raise self._broken
        taken = list(self._inbox)
        self._inbox.clear()
        if must_rest:
            self._inbox.extend(item for item in taken if item.queue)
            taken = [item for item in taken if not item.queue]
        return [item for item in taken if not item.done.cancelled()]

    def _may_take(self, must_rest: bool) -> bool:
        """Whether something of the inbox may take part now. Before a rest only what sessions of this process hand over.

        Their triggers wait for it, and what is held here may wait for them: each would wait for the other.
        """
        return any(not item.queue for item in self._inbox) if must_rest else bool(self._inbox)

    async def _woken(self) -> bool:
        """Wait for something to happen; False when the row has lagged long enough meanwhile (P8)."""
        if self.state is None or not self.state.row_lags:
            await self._wake.wait()
            return True
        reminder = asyncio.get_running_loop().call_later(
            self._services.settings.status_interval.total_seconds(), self._remind
        )
        try:
            await self._wake.wait()
        finally:
            reminder.cancel()
        lagged, self._lagged = self._lagged, False
        return not lagged

    def _remind(self) -> None:
        self._lagged = True
        self._wake.set()

    async def _process(self, batch: list[Item]) -> None:
        for _ in range(_MOST_LOST_TURNS):
            try:
                await self._take_turn(batch)
            except TurnLostError:
                self._lose_turn()
                for item in batch:
                    item.repeated = True  # an earlier turn of this attempt may have consumed it
            else:
                return
        raise TurnLostError(f"instance {self.instance_id!r} lost {_MOST_LOST_TURNS} turns in a row")

    async def _take_turn(self, batch: Sequence[Item]) -> None:
        before = self.state
        admitted = await self._admission.admit(before, batch, self._trigger)
        self.state = admitted.state
        if self._trigger is not None and self.state is not None and self.state is not before:
            await self._returned.check(self.state, self._trigger)
        adopted = self.state is not None and self._adopt_stragglers(self.state)
        for item in admitted.dropped:
            if not (adopted and item is self._trigger):  # it guards what was adopted
                self._settle(item)
        leader = next(iter((*admitted.accepted, *(repair.item for repair in admitted.repairs))), None)
        if self.state is None or (not adopted and leader is None):
            return
        if self._trigger is None and leader is not None:
            if leader.done.cancelled():
                raise LeaseLostError(f"instance {self.instance_id!r}: the lease of its trigger was lost")
            self._trigger, self._triggered_at = leader, self._services.clock()
            self._returned.take(self.state)
        self._repair(admitted)
        if admitted.inputs:
            await self._commit(admitted)
        await self._continue_as_new()
        if not self._services.settings.sessions:
            self.state.drop()

    def _repair(self, admitted: Admitted) -> None:
        """Send again what the turns under a redelivered message still owe (P6). Only the trigger guards work here."""
        for repair in admitted.repairs:
            item = repair.item
            first = self._repaired.get(item.message.id)
            if first is not None:
                if item is not first and item is not self._trigger:
                    first.share_fate(item)
                continue
            self._repaired[item.message.id] = item
            is_trigger = item is self._trigger
            queued = self._router.place(repair.owed, resent=True, here=is_trigger and self._may_place_here())
            self._queue(queued, [] if is_trigger else [item], withdrawn=repair.withdrawn, closes=repair.is_open)

    def _adopt_stragglers(self, state: SessionState) -> bool:
        """Whether nobody else sees to turns that won: when their trigger came back they were not there yet (P13)."""
        lost, self._lost = self._lost, None
        trigger = self._trigger
        if lost is None or trigger is None or lost.execution != state.execution:
            return False
        stragglers = [turn for turn in state.ledger.recorded[lost.turns :] if self._returned.is_own(turn, trigger)]
        for turn in stragglers:
            self._services.notices.committed(turn, state.row.name)
        owed = [entry for entry in state.ledger.owed_of(stragglers) if not self._held.holds(entry.message.id)]
        withdrawn = [item for turn in stragglers for item in state.ledger.withdrawn_by(turn)]
        queued = self._router.place(owed, resent=True, here=self._may_place_here())
        self._queue(queued, [], withdrawn=self._held.stop(withdrawn))
        return bool(stragglers)

    async def _continue_as_new(self) -> None:
        state = self.state
        while state is not None and state.to_continue is not None:
            if await self._admission.passes_on(state, self._trigger):
                return
            self._held.forget_timers()
            following, inputs = state.succeed()
            state.drop()
            self.state = state = following
            await self._commit(Admitted(state, inputs))
            self._returned.take(state)

    async def _commit(self, admitted: Admitted) -> None:
        state, trigger = self.state, self._trigger
        if state is None or trigger is None:
            raise LookupError("a turn needs a state and a trigger")
        turn = await commit(self._services, state, trigger, admitted)
        await self._after_commit(state, turn, [item for item in admitted.accepted if item is not trigger])

    async def _after_commit(self, state: SessionState, turn: Turn, joined: Sequence[Item]) -> None:
        owed = state.ledger.owed_by(turn)
        # Who waits hears last: once he has recorded the outcome, nothing would make this instance repair (S4).
        rest: list[Owed] = []
        for entry in owed:
            (self._reports if is_report(entry.message) else rest).append(entry)
        here = self._may_place_here() and self._within_budget()
        withdrawn = self._held.stop(state.ledger.withdrawn_by(turn))
        self._queue(self._router.place(rest, resent=False, here=here), joined, withdrawn=withdrawn)
        if state.ledger.ended is not None:
            self._held.forget_timers()
        if self._services.clock() - self._projected_at >= self._services.settings.status_interval:
            await self._project()

    def _queue(
        self,
        messages: Sequence[Message],
        joined: Sequence[Item],
        *,
        withdrawn: Sequence[str] = (),
        closes: bool = False,
    ) -> None:
        """Send messages, withdraw work items; the deliveries that joined are settled once that is done (P5).

        Once the trigger is lost they come back: its new holder may have looked before this turn was committed.
        `closes`: they were triggers, and wait for their closing turns.
        """

        def settle() -> None:
            if self._broken is None and closes:
                self._returned.waiting += joined
            for item in joined if self._broken is None and not closes else ():
                self._settle(item)

        if messages or withdrawn:
            self._held.send(self._router.send(messages, withdrawn), settle)
        else:
            settle()

    def _give_back(self) -> None:
        if self._winding_down:
            taken = [msgspec.structs.replace(message, resent=True) for message in self._held.take_back()]
            if taken:
                self._queue(taken, [])

    async def _come_to_rest(self) -> None:
        """Nothing is under way here: reports go out, the row is brought up to date, the trigger is let go (P5, P8)."""
        if self._broken is not None:
            raise self._broken
        if self._reports:
            self._queue(self._router.place(self._next_reports(), resent=False, here=not self._winding_down), [])
            return
        if self._trigger is not None and not await self._closes(self._trigger):
            return
        if not self._inbox:
            await self._project()
        if self._trigger is not None and not self._held and not self._awaits_answers():
            self._settle(self._trigger)

    async def _closes(self, item: Item) -> bool:
        """Whether nobody can commit any more under a message that came back; if not, there is more to see to (P6)."""
        for _ in range(_MOST_LOST_TURNS):
            try:
                await self._returned.close(self.state, item)
            except TurnLostError:
                self._lose_turn()
                await self._process([])
                if self._held or self._reports:
                    return False
            else:
                return True
        raise TurnLostError(f"instance {self.instance_id!r} lost {_MOST_LOST_TURNS} turns in a row")

    async def _settle_waiting(self) -> None:
        """Messages that came back beside the trigger are let go."""
        for item in list(self._returned.waiting):
            if await self._closes(item):
                self._returned.waiting.remove(item)
                self._settle(item)

    def _next_reports(self) -> list[Owed]:
        """The sender of the trigger hears after all others: only he makes this instance repair (P6, S4)."""
        asker = None if self._trigger is None else asker_of(self._trigger.message)
        last = [entry for entry in self._reports if answers(entry.message, asker)]
        first = [entry for entry in self._reports if entry not in last]
        self._reports = last if first else []
        return first or last

    async def _project(self) -> None:
        state = self.state
        if state is not None and state.row_lags:
            state.row_lags = False
            self._projected_at = self._services.clock()
            state.etag = await self._services.projector.write(state.row, state.etag)

    def _may_place_here(self) -> bool:
        """Whether work may run here, under the trigger."""
        return not self._winding_down and (self._trigger is None or self._trigger.attempt <= ATTEMPTS_HERE)

    def _within_budget(self) -> bool:
        return self._services.clock() - self._opened_at < self._services.settings.session_budget

    def _report(self, message: Message, body: FinishTask | FireTimer) -> None:
        """Local work is over: its outcome takes part in the next turn, unless its execution is over too."""
        state = self.state
        if state is not None and (state.ledger.ended or message.execution_id != state.execution.execution_id):
            return
        answer = msgspec.structs.replace(message, id=result_message_id(message.id), body=body, due=None, resent=False)
        item = Item(answer)
        self._answers.add(item)
        self.offer(item)

    def _settle(self, item: Item) -> None:
        item.settle()
        self._unsettled.discard(item)
        self._answers.discard(item)
        if item is self._trigger:
            self._trigger = None

    def _lose_turn(self) -> None:
        logger.info("instance %s: another process took the turn; loading anew", self.instance_id)
        self._services.settings.telemetry.count(Counted.LOST_TURN)
        self._lost = None if self.state is None else place_of(self.state)
        self._forget()

    def _break(self, error: BaseException) -> None:
        if self._broken is None:
            self._broken = error
        self._wake.set()

    def _forget(self) -> None:
        if self.state is not None:
            self.state.drop()
            self.state = None

    def _fail(self, error: Exception) -> None:
        logger.warning("instance %s: the session ends: %s: %s", self.instance_id, type(error).__name__, error)
        self._services.settings.telemetry.count(Counted.BROKEN_SESSION, type(error).__name__)
        self._held.abandon()
        self._forget()
        for item in (*self._unsettled, *self._inbox):
            item.fail(error)
        self._unsettled.clear()
        self._inbox.clear()
        self._answers.clear()
        self._reports.clear()
        self._returned.waiting.clear()
        self._trigger = None
