"""Where what a turn owes goes: here while there is room, else through queues (S3, S4)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Sequence
from typing import Protocol

import msgspec

from durable_ext.records.messages import FireTimer, Message, RunActivity, StartExecution
from durable_ext.replay.outbox import Owed
from durable_ext.worker.activities.held_work import HeldWork
from durable_ext.worker.items import Item
from durable_ext.worker.offload import move_message
from durable_ext.worker.services import Services

logger = logging.getLogger("durable_ext.session")


class Neighbours(Protocol):
    """The other sessions of this process."""

    def lives_here(self, instance_id: str) -> bool:
        """Whether the instance has a session, or is kept in memory, here."""
        ...

    def has_room(self) -> bool:
        """Whether one more instance may be opened here."""
        ...

    def offer(self, item: Item) -> None:
        """Hand a message to its instance's session."""
        ...

    def lose(self, item: Item) -> None:
        """Nothing guards the message any more."""
        ...


class Router:
    """Places the messages of one session. After `wind_down` everything goes to queues (S5)."""

    def __init__(self, services: Services, held: HeldWork, neighbours: Neighbours) -> None:
        self._services = services
        self._held = held
        self._neighbours = neighbours

    def place(self, owed: Iterable[Owed], *, resent: bool, here: bool) -> list[Message]:
        """Start what runs here; return what has to be queued. Repeats are marked so (P6)."""
        queued: list[Message] = []
        for entry in owed:
            message = msgspec.structs.replace(entry.message, resent=True) if resent else entry.message
            if not (here and self._placed_here(message, entry.placement)):
                queued.append(message)
        return queued

    async def send(self, messages: Sequence[Message], withdrawn: Sequence[str] = ()) -> None:
        """Withdraw work items; queue messages, their payloads under the receivers' names."""
        if withdrawn:
            await self._services.withdrawals.withdraw(withdrawn)
        moved = [message if message.is_work_item else await self._moved(message) for message in messages]
        if moved:
            await self._services.provider.send(moved)

    async def _moved(self, message: Message) -> Message:
        return await move_message(self._services.payloads, message)

    def _placed_here(self, message: Message, placement: str) -> bool:
        match message.body:
            case RunActivity() as body:
                served = self._services.settings.serves(body.tag)
                if body.session_id and not self._services.affinities.holds(body.session_id):
                    return False  # who gets it from the queue asks for it
                if served and self._services.activities.admits(body.name, placement):
                    self._held.run_activity(message, body)
                    return True
                return False
            case FireTimer() as body:
                if body.fire_at - self._services.clock() <= self._services.settings.local_timer:
                    self._held.run_timer(message, body)
                    return True
                return False
            case _:
                return self._handed_over(message)

    def _handed_over(self, message: Message) -> bool:
        known = self._neighbours.lives_here(message.instance_id)
        if not known and not (isinstance(message.body, StartExecution) and self._neighbours.has_room()):
            return False
        self._held.send(self._hand_over(message))
        return True

    async def _hand_over(self, message: Message) -> None:
        item = Item(await self._moved(message))
        self._neighbours.offer(item)
        try:
            await item.done
        except asyncio.CancelledError:
            self._neighbours.lose(item)  # what guards it comes back and hands it over again (S6)
            raise
        except Exception as error:  # noqa: BLE001 - the neighbour's failure is not ours; the queue carries a repeat (P6)
            logger.info("message %s goes by queue: %s: %s", item.message.id, type(error).__name__, error)
            await self._services.provider.send([msgspec.structs.replace(item.message, resent=True)])
