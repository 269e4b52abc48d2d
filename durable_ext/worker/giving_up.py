"""What becomes of a message whose processing failed: another attempt, a pause, or the end of all attempts (P11).

An attempt that failed is counted in the copy of the message that is put off for the next one. The attempt that fails
last knows the error, so it gives up itself, with the reason and the stack: a work item becomes a failed task of its
orchestration, any other message is kept for an operator.

An error that passes by itself says nothing about the message, so such a message is put off rather than given up.
"""

from __future__ import annotations

import logging

import msgspec

from durable_ext.errors import DurableError, LeaseLostError, RowChangedError, StorageError, TurnLostError
from durable_ext.records.failures import Failure, failure_from, reason_of, stack_of
from durable_ext.records.ids import result_message_id
from durable_ext.records.messages import Delivery, FinishTask, Message, Quarantined, RunActivity
from durable_ext.worker.attempts import Attempt
from durable_ext.worker.deferral import Deferral
from durable_ext.worker.items import Item
from durable_ext.worker.services import Services
from durable_ext.worker.telemetry import Counted

logger = logging.getLogger("durable_ext.worker")

_UNSEEN = "in {} of them its process ended before it could say why"


class GivingUp:
    """Decides about messages that failed."""

    def __init__(self, services: Services, deferral: Deferral) -> None:
        self._services = services
        self._deferral = deferral

    def is_last(self, attempt: Attempt) -> bool:
        """Whether no attempt follows this one, should it fail."""
        return attempt.number >= self._services.settings.most_attempts

    async def failed(self, attempt: Attempt, error: Exception) -> None:
        """An attempt failed. Raises the error when its delivery is to come back as it is, StorageError when what is
        to become of the message cannot be stored."""
        message, delivery = attempt.message, attempt.delivery
        if passes(error):
            # A delivery that came as often as the host lets it is sent anew, so that the host need not give it up.
            if len(delivery.messages) == 1 and delivery.dequeue_count < self._services.settings.most_attempts:
                raise error
            if is_contention(error) and self._deferral.is_worn_out(message):
                message = msgspec.structs.replace(message, deferrals=0)
        elif self.is_last(attempt):
            await self.give_up(attempt, error)
            return
        else:
            message = msgspec.structs.replace(message, failures=message.failures + 1)
        if self._deferral.is_worn_out(message):
            await self.give_up(attempt, error)
            return
        _say(attempt, error, self._services.settings.most_attempts)
        await self._deferral.put_off(Item(message, repeated=True, queue=delivery.queue))

    async def give_up(self, attempt: Attempt, error: Exception | None = None) -> None:
        """A message failed too often; None: nobody knows of what, because its processes ended. Raises StorageError."""
        message, body = attempt.message, attempt.message.body
        attempts = attempt.earlier if error is None else attempt.number
        why = _UNSEEN.format(attempt.unseen) if error is None else reason_of(error)
        logger.error(
            "message %s of instance %s is given up after %d attempts: %s",
            message.id,
            message.instance_id,
            attempts,
            why,
            exc_info=None if error is None or isinstance(error, DurableError) else error,
        )
        self._services.settings.telemetry.count(Counted.GIVEN_UP, type(body).__name__)
        if isinstance(body, RunActivity) and await self._is_history_readable(message):
            why = f"activity {body.name!r} could not be run in {attempts} attempts: {why}"
            await self._services.provider.send([self._failed_task(message, body, attempts, why, error)])
        else:
            reason = f"could not be processed in {attempts} attempts: {why}"
            stack = "" if error is None else stack_of(error)
            await self._deferral.quarantine(message, reason, attempts, attempt.delivery.queue, stack)

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

    async def _is_history_readable(self, message: Message) -> bool:
        """Whether the instance can hear how its activity ended.

        If not, its outcome may wait in quarantine under the id that a failure would get, and must not be written over.
        """
        try:
            await self._services.loader.load(message.instance_id)
        except StorageError as error:
            if passes(error):
                raise
            return False
        return True

    def _failed_task(
        self, message: Message, body: RunActivity, attempts: int, why: str, error: Exception | None
    ) -> Message:
        failure = Failure(
            type="Poison",
            message=why,
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


def passes(error: Exception) -> bool:
    """Whether an error has its cause in storage or in other processes, and none in the message."""
    if isinstance(error, StorageError):
        return error.retryable or is_contention(error)
    return isinstance(error, OSError)  # a connection or a time-out that a provider did not name


def is_contention(error: Exception) -> bool:
    """Whether another process got ahead: it has the message, or what it is about. However often, it makes progress."""
    return isinstance(error, TurnLostError | RowChangedError | LeaseLostError)


def _say(attempt: Attempt, error: Exception, most_attempts: int) -> None:
    message = attempt.message
    said = f"attempt {attempt.number} of {most_attempts} failed"
    logger.warning(
        "message %s (%s) of instance %s is put off, %s: %s",
        message.id,
        getattr(message.body, "name", type(message.body).__name__),
        message.instance_id,
        "which is no failure of its own" if passes(error) else said,
        reason_of(error),
        exc_info=None if passes(error) or isinstance(error, DurableError) else error,
    )
