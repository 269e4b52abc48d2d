"""The worker: what a delivery goes through, whoever brought it (a Functions trigger or a pump)."""

from __future__ import annotations

import asyncio
import itertools
import logging
import uuid
from collections.abc import Callable
from datetime import timedelta
from functools import partial

import msgspec

from durable_ext.authoring.registry import Registry
from durable_ext.providers.contract import Catalog, Clock, Provider
from durable_ext.records.ids import result_message_id
from durable_ext.records.messages import Delivery, FinishTask, Message, RunActivity
from durable_ext.records.versions import VersionFailure
from durable_ext.worker.acceptance import Acceptance
from durable_ext.worker.activities.affinities import Affinities
from durable_ext.worker.activities.claims import Claims
from durable_ext.worker.activities.own import own_activities
from durable_ext.worker.activities.progress import Reports
from durable_ext.worker.activities.repeated import is_settled
from durable_ext.worker.activities.runner import ActivityRunner
from durable_ext.worker.activities.withdrawals import Withdrawals
from durable_ext.worker.attempts import Attempt, NotedAttempts, is_noted
from durable_ext.worker.client import Client, utc_now
from durable_ext.worker.company import Company, Presence
from durable_ext.worker.deferral import GUARDED_FOR, HELD_ELSEWHERE_FOR, NOT_SERVED_FOR, Deferral
from durable_ext.worker.entities.code import EntityCode
from durable_ext.worker.giving_up import GivingUp, passes
from durable_ext.worker.heartbeat import Heartbeat
from durable_ext.worker.items import Item
from durable_ext.worker.janitor import Janitor
from durable_ext.worker.lifecycle import Notices
from durable_ext.worker.mishaps import Mishaps
from durable_ext.worker.own_deliveries import OwnDeliveries
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.projection import Projector
from durable_ext.worker.services import Services
from durable_ext.worker.session import ATTEMPTS_HERE
from durable_ext.worker.sessions import Sessions
from durable_ext.worker.settings import WorkerSettings
from durable_ext.worker.signals import Signals
from durable_ext.worker.state import Loader
from durable_ext.worker.telemetry import Level, Reading
from durable_ext.worker.terminations import Terminations

logger = logging.getLogger("durable_ext.worker")


class Worker:
    """Runs the orchestrators and activities of a registry over a provider. Use it on one event loop only."""

    def __init__(
        self,
        provider: Provider,
        catalog: Catalog,
        registry: Registry,
        *,
        settings: WorkerSettings | None = None,
        clock: Clock = utc_now,
    ) -> None:
        settings = settings or WorkerSettings()
        telemetry = settings.telemetry
        provider = telemetry.measured(provider)
        signals, payloads, mishaps = Signals(), PayloadStore(provider, registry.converter), Mishaps(telemetry)
        process_id, next_id = _ids()
        self.provider, self.catalog, self.registry = provider, catalog, registry
        self.client = self._make_client(clock, signals, settings)
        heartbeat = Heartbeat(provider, process_id, clock, settings.heartbeat, mishaps)
        self._services = Services(
            provider=provider,
            catalog=catalog,
            settings=settings,
            acceptance=Acceptance(settings, registry),
            clock=clock,
            loader=Loader(provider, registry, clock, payloads),
            entities=EntityCode(registry, payloads, heartbeat.stalls, telemetry),
            payloads=payloads,
            activities=self._make_activities(settings, payloads, clock, next_id, mishaps),
            projector=Projector(provider, signals),
            heartbeat=heartbeat,
            affinities=Affinities(provider, clock, settings, process_id, mishaps),
            terminations=Terminations(provider, catalog, payloads, clock),
            withdrawals=Withdrawals(provider, clock, settings.own_lease / 2, mishaps),
            notices=Notices(settings.lifecycle),
            mishaps=mishaps,
            process_id=process_id,
            next_commit_id=next_id,
        )
        self._open_rooms(self._services)
        telemetry.watch(self._readings)

    def _open_rooms(self, services: Services) -> None:
        services.activities.stalls = services.heartbeat.stalls
        self._deferral, self._company = Deferral(services), Company()
        self._giving_up, self._noted = GivingUp(services, self._deferral), NotedAttempts(services)
        self._sessions, self._apart = Sessions(services), OwnDeliveries(services)
        self._janitor = Janitor(services)

    @property
    def process_id(self) -> str:
        """Under which this worker keeps its journal."""
        return self._services.process_id

    @property
    def open_sessions(self) -> int:
        """How many instances have work under way here; 0 at rest."""
        return self._sessions.open_count

    @property
    def in_hand(self) -> frozenset[str]:
        """The instances with a session here, and the ids of the messages that are dealt with."""
        return self._sessions.open_instances | self._services.heartbeat.held_messages

    def _make_client(self, clock: Clock, signals: Signals, settings: WorkerSettings) -> Client:
        registry = self.registry
        client = Client(self.provider, self.catalog, converter=registry.converter, clock=clock, signals=signals)
        client.check_orchestrator = registry.check_orchestrator
        if settings.version_failure is not VersionFailure.REJECT:  # which leaves it to an app that has it
            client.check_entity = registry.check_entity
        client.naming = registry
        client.telemetry = settings.telemetry
        client.is_at_work = lambda instance_id: self._sessions.is_at_work(instance_id)
        return client

    def _make_activities(
        self,
        settings: WorkerSettings,
        payloads: PayloadStore,
        clock: Clock,
        next_id: Callable[[], str],
        mishaps: Mishaps,
    ) -> ActivityRunner:
        claims = Claims(self.provider.claim, self.provider.read_row, next_id)
        reports = Reports(self.provider, payloads, self.registry.converter, clock, mishaps)
        runner = ActivityRunner(self.registry, payloads, settings, claims, reports)
        runner.own = own_activities(self.client)
        return runner

    async def process(self, delivery: Delivery) -> None:
        """Deal with a delivery. Returns when it may be completed; raises when it is to be abandoned (F2).

        Several messages of one delivery are dealt with each on its own (S7). An undecodable one is quarantined, and one
        whose last attempt fails is given up here, where the error is known (P11).
        """
        if self._services.settings.telemetry.measures:
            self._services.settings.telemetry.received(delivery, self._services.clock())
        if delivery.defect is not None:
            await self._giving_up.keep_defect(delivery)
            return
        if len(delivery.messages) == 1:
            await self._try(delivery.messages[0], delivery)
            return
        works = [self._process_of_many(message, delivery) for message in delivery.messages]
        # All come to their end before the delivery is given back: it guards them.
        for outcome in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(outcome, BaseException):
                raise outcome

    async def process_poison(self, delivery: Delivery) -> None:
        """Deal with a delivery that the host gave up, because it came as often as the host lets it (P11).

        The host cannot know whether anybody failed at it, so its messages go back to their queues, as suspects: each
        attempt at them is noted, and who kills its process each time is given up there. Raises StorageError.
        """
        await self._giving_up.keep_defect(delivery)
        again = [
            msgspec.structs.replace(message, resent=True, recoveries=message.recoveries + delivery.dequeue_count)
            for message in delivery.messages
        ]
        if again:
            logger.warning("delivery %s of %s goes back: %d messages", delivery.id, delivery.queue, len(again))
            await self.provider.send(again)

    async def tidy(self) -> None:
        """One round of the janitor (P3, P8, P9, P10). Raises StorageError."""
        await self._janitor.tidy()

    async def drain(self, grace: timedelta) -> None:
        """Come to rest: no new work here, what is held goes to the queues (S5). Process nothing afterwards."""
        await self._sessions.drain(grace)
        await self._apart.settle(grace)
        self._services.activities.close()
        await self._services.withdrawals.close()
        await self._services.affinities.close()
        await self._services.notices.close(grace)
        await self._services.heartbeat.close()

    async def _process_of_many(self, message: Message, delivery: Delivery) -> None:
        """One message of several: if it is slow or fails it goes on by itself, and its neighbours are done (S7)."""
        work = asyncio.create_task(self._try(message, delivery))
        try:
            is_apart = await self._apart.goes_apart(work, message)
        except Exception as error:  # noqa: BLE001 - the work is stopped, and its message comes back alone (S7)
            await self._giving_up.failed(Attempt(message, delivery, message.failures), error)
        else:
            if not is_apart:
                await work

    async def _try(self, message: Message, delivery: Delivery) -> None:
        """Deal with a message; one that was handed out often under a note, so that a death of this process counts."""
        if not is_noted(message, delivery):
            await self._attempt(Attempt(message, delivery, message.failures))
            return
        async with self._noted.noting(message) as unended:
            attempt = Attempt(message, delivery, message.failures + unended)
            if unended and attempt.earlier >= self._services.settings.most_attempts:
                await self._give_up(attempt)
            else:
                await self._attempt(attempt)

    async def _attempt(self, attempt: Attempt) -> None:
        with self._company.present(attempt.message.instance_id) as presence:
            try:
                await self._process_one(attempt)
            except Exception as error:  # noqa: BLE001 - whatever it was, it decides what becomes of the message (P11)
                failure = await self._own_failure(attempt, presence, error)
                if failure is not None:
                    await self._giving_up.failed(attempt, failure)

    async def _own_failure(self, attempt: Attempt, presence: Presence, error: Exception) -> Exception | None:
        """The failure of a message; a last attempt that failed in company is made once more without it (P11)."""
        message = attempt.message
        if message.is_work_item or passes(error) or not (presence.accompanied and self._giving_up.is_last(attempt)):
            return error
        async with self._company.one_by_one(message.instance_id):
            try:
                await self._process_one(attempt)
            except Exception as own:  # noqa: BLE001 - whatever it was, it is this message's own, and is kept with it (P11)
                return own
        return None

    async def _give_up(self, attempt: Attempt) -> None:
        """A message with which processes ended too often.

        When its turn is in history, it did no harm itself: something that turn asked for may have. Each of those gets a
        message of its own, and attempts with it (P6, P11). Should that end processes too, it is given up after all.
        """
        message, most = attempt.message, self._services.settings.most_attempts
        is_cause = message.is_work_item or attempt.earlier >= 2 * most
        if is_cause or message.id not in await self.provider.consumed(message.instance_id):
            await self._giving_up.give_up(attempt)
            await self._noted.forget(message)
            return
        try:
            await self._through_session(Item(message, queue=attempt.delivery.queue, attempt=most + ATTEMPTS_HERE))
        except Exception as error:  # noqa: BLE001 - whatever it was, it is put off or an operator hears of it (P11)
            await self._giving_up.failed(attempt, error)

    async def _process_one(self, attempt: Attempt) -> None:
        message, delivery = attempt.message, attempt.delivery
        handed_out = delivery.dequeue_count + message.recoveries + message.failures
        item = Item(message, queue=delivery.queue, attempt=handed_out)
        with self._services.heartbeat.holding([message]):
            if isinstance(message.body, RunActivity):
                await self._run_activity(item, message.body)
            else:
                await self._through_session(item)

    async def _run_activity(self, item: Item, body: RunActivity) -> None:
        message = item.message
        services = self._services
        if not services.settings.serves(body.tag):
            # It came before the settings changed, or was handed over by hand: its own queue has it again.
            logger.warning("work item %s has the tag %r, which is not served here", message.id, body.tag)
            await self._deferral.put_off(item, services.clock() + NOT_SERVED_FOR)
            return
        if body.session_id and not await self._may_run(message, body):
            await self._leave_to_holder(item, body)
            return
        if item.repeated and not await self._is_wanted(item, body):
            return
        if self._leaves(message, body):
            await self._deferral.put_off(item)
            return
        # Once only: each time would be one more copy of a message that may have come more than once.
        pause = None if item.repeated else services.activities.turns_away(body.name)
        if pause is not None:
            await self._deferral.put_off(item, services.clock() + pause)
            return
        with services.affinities.using(body.session_id):
            run = partial(services.activities.run, message, body, item.attempt)
            outcome = await services.withdrawals.run(message, run)
        if outcome is None:
            await services.activities.forget(message, body)
        else:
            await self._hand_in(self._answer(message, outcome, repeated=item.repeated))

    async def _may_run(self, message: Message, body: RunActivity) -> bool:
        """Whether an activity of a session runs here: it is held here, or nobody who holds it got the message."""
        if self._leaves(message, body) or self._deferral.is_worn_out(message):
            return True
        return await self._services.affinities.take(body.session_id)

    async def _leave_to_holder(self, item: Item, body: RunActivity) -> None:
        """Put off, with a growing pause, what runs elsewhere, unless it is a repeat that nobody needs any more.

        Each copy of a message that came more than once is put off by itself, and may outlive its instance. Looked at
        after 1, 2, 4, 8 ... pauses, so that long waits cost few reads.
        """
        looks = item.repeated and item.message.deferrals & (item.message.deferrals - 1) == 0
        if not looks or await self._is_wanted(item, body):
            await self._deferral.put_off(item, longest=HELD_ELSEWHERE_FOR)

    def _leaves(self, message: Message, body: RunActivity) -> bool:
        """Whether an activity that is not registered here is still left for others; then it fails, and says so."""
        patience = self._services.settings.leave_unknown
        if not patience or self._services.activities.knows(body.name) or self._deferral.is_worn_out(message):
            return False
        return self._deferral.waited(message) < patience

    async def _is_wanted(self, item: Item, body: RunActivity) -> bool:
        """Whether a work item that may have run before is to be run here and now (P7)."""
        answer = self._answer(item.message, FinishTask(task_id=body.task_id), repeated=True)
        if await is_settled(self._services, item.message, answer):
            # The turns its outcome led to name the outcome as their trigger, and only the work item comes back (P6).
            await self._through_session(Item(answer, attempt=item.attempt))
            logger.info("work item %s is dropped: its outcome is known, or nobody waits for it", item.message.id)
            return False
        if await self._services.heartbeat.recovered_elsewhere(item.message):
            await self._deferral.put_off(item, self._services.clock() + GUARDED_FOR)
            return False
        return True

    async def _through_session(self, item: Item) -> None:
        self._sessions.offer(item)
        try:
            await item.done
        except asyncio.CancelledError:
            self._sessions.lose(item)
            raise

    async def _hand_in(self, message: Message) -> None:
        """The outcome of a work item: to the session here, else by queue. The work item is its trigger (S4)."""
        if not self._sessions.lives_here(message.instance_id):
            await self._services.provider.send([message])
            return
        try:
            await self._through_session(Item(message))
        except Exception as error:  # noqa: BLE001 - whatever ended the session, the activity is done and runs no more (P11)
            logger.warning("outcome %s goes by queue: %s: %s", message.id, type(error).__name__, error)
            await self._services.provider.send([msgspec.structs.replace(message, resent=True)])

    def _readings(self) -> list[Reading]:
        activities = self._services.activities
        return [
            Reading(Level.SESSIONS, self._sessions.open_count),
            Reading(Level.KEPT, self._sessions.kept_count),
            Reading(Level.ACTIVITIES, activities.active),
            Reading(Level.SLOTS, self._services.settings.activity_slots),
            Reading(Level.PROCESSES, activities.running_processes),
            Reading(Level.HELD, self._services.heartbeat.held_count),
            *self._janitor.readings(),
        ]

    def _answer(self, message: Message, body: FinishTask, *, repeated: bool = False) -> Message:
        return Message(
            id=result_message_id(message.id),
            instance_id=message.instance_id,
            execution_id=message.execution_id,
            body=body,
            sent_at=self._services.clock(),
            resent=repeated,
        )


def _ids() -> tuple[str, Callable[[], str]]:
    """The id of this process, and what makes ids that begin with it and that no other process makes (P2)."""
    process_id = uuid.uuid4().hex
    return process_id, map(f"{process_id}-{{}}".format, itertools.count()).__next__
