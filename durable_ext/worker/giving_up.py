"""What becomes of a message whose processing failed: another attempt, a pause, or the end of all attempts (P11).

The attempt that fails last knows the error, so it gives up itself, with the reason and the stack: a work item becomes a
failed task of its orchestration, any other message is kept for an operator. Left to the host's poison queue, which
brings the message alone, are attempts that could not say anything because their process ended.

An error that passes by itself says nothing about the message, so such a message is put off rather than given up.
"""

from __future__ import annotations

import logging

import msgspec

from durable_ext.errors import DurableError, LeaseLostError, RowChangedError, StorageError, TurnLostError
from durable_ext.records.failures import Failure, failure_from, reason_of, stack_of
from durable_ext.records.ids import result_message_id
from durable_ext.records.messages import Delivery, FinishTask, Message, Quarantined, RunActivity
from durable_ext.worker.deferral import Deferral
from durable_ext.worker.items import Item
from durable_ext.worker.services import Services
from durable_ext.worker.telemetry import Counted

logger = logging.getLogger("durable_ext.worker")

_UNSEEN = "its process ended each time before it could say why"


class GivingUp:
    """Decides about messages that failed."""

    def __init__(self, services: Services, deferral: Deferral) -> None:
        self._services = services
        self._deferral = deferral

    def is_last(self, message: Message, delivery: Delivery) -> bool:
        """Whether no attempt follows this one."""
        return attempts_of(message, delivery) >= self._services.settings.most_attempts

    async def failed(self, message: Message, delivery: Delivery, error: Exception) -> None:
        """The last attempt at a message failed. Raises StorageError when that cannot be stored either."""
        item = Item(message, repeated=True, queue=delivery.queue)
        await self._end(item, attempts_of(message, delivery), error)

    async def failed_among_others(self, message: Message, delivery: Delivery, error: Exception) -> None:
        """A message of a shared delivery failed: it goes on by itself, so that its neighbours are done (S7)."""
        passes = _passes(error)
        if self.is_last(message, delivery) or (passes and self._deferral.is_worn_out(message)):
            await self.failed(message, delivery, error)
            return
        logger.warning("message %s of delivery %s is put off: %s", message.id, delivery.id, reason_of(error))
        if not passes:
            message = msgspec.structs.replace(message, failures=message.failures + delivery.dequeue_count)
        await self._deferral.put_off(Item(message, repeated=True, queue=delivery.queue))

    async def give_up(self, message: Message, attempts: int, queue: str, error: Exception | None = None) -> None:
        """A message failed too often; None: nobody knows of what. Raises StorageError."""
        logger.error(
            "message %s of instance %s is given up after %d attempts: %s",
            message.id,
            message.instance_id,
            attempts,
            _UNSEEN if error is None else reason_of(error),
            exc_info=None if error is None or isinstance(error, DurableError) else error,
        )
        body = message.body
        self._services.settings.telemetry.count(Counted.GIVEN_UP, type(body).__name__)
        if isinstance(body, RunActivity) and await self._is_history_readable(message):
            await self._services.provider.send([self._failed_task(message, body, attempts, error)])
        else:
            reason = f"could not be processed in {attempts} attempts: {_UNSEEN if error is None else reason_of(error)}"
            stack = "" if error is None else stack_of(error)
            await self._deferral.quarantine(message, reason, attempts, queue, stack)

    async def keep_defect(self, delivery: Delivery) -> None:
        """Keep what nobody can read. Raises StorageError."""
        defect = delivery.defect
        if defect is None:
            return
        logger.error("message %s of %s is kept in quarantine: %s", delivery.id, delivery.queue, defect.reason)
        self._services.settings.telemetry.count(Counted.QUARANTINED, "defect")
        await self._services.provider.quarantine(
            Quarantined(
                id=delivery.id,
                queue=delivery.queue,
                body=defect.body,
                reason=defect.reason,
                instance_id="",
                dequeue_count=delivery.dequeue_count,
                time=self._services.clock(),
                stack=defect.stack,
            )
        )

    async def _end(self, item: Item, attempts: int, error: Exception) -> None:
        if _passes(error) and not self._deferral.is_worn_out(item.message):
            logger.warning("message %s is put off after %d attempts: %s", item.message.id, attempts, reason_of(error))
            await self._deferral.put_off(item)
        else:
            await self.give_up(item.message, attempts, item.queue, error)

    async def _is_history_readable(self, message: Message) -> bool:
        """Whether the instance can hear how its activity ended.

        If not, its outcome may wait in quarantine under the id that a failure would get, and must not be written over.
        """
        try:
            await self._services.loader.load(message.instance_id)
        except StorageError as error:
            if _passes(error):
                raise
            return False
        return True

    def _failed_task(self, message: Message, body: RunActivity, attempts: int, error: Exception | None) -> Message:
        why = _UNSEEN if error is None else reason_of(error)
        failure = Failure(
            type="Poison",
            message=f"activity {body.name!r} could not be run in {attempts} attempts: {why}",
            cause=None if error is None else failure_from(error),
            retryable=False,
            properties={"attempts": attempts},
        )
        return Message(
            id=result_message_id(message.id),
            instance_id=message.instance_id,
            execution_id=message.execution_id,
            body=FinishTask(task_id=body.task_id, failure=failure),
            sent_at=self._services.clock(),
            resent=True,
        )


def attempts_of(message: Message, delivery: Delivery) -> int:
    """How often a message was tried, this delivery included, whatever queue messages it came in."""
    return message.failures + message.recoveries + delivery.dequeue_count


def _passes(error: Exception) -> bool:
    """Whether an error has its cause in storage or in other processes, and none in the message."""
    if isinstance(error, TurnLostError | RowChangedError | LeaseLostError):
        return True
    return isinstance(error, StorageError) and error.retryable
