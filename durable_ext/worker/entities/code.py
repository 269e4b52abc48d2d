"""Runs the operations of entities: the app's own code, between two commits.

What it does to the outside may happen again: a turn that is lost, or whose commit fails, runs its batch once more on
the state that storage has (P2). So an operation is at least once to the outside, and exactly once to its state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from durable_ext.authoring.entities import EntityDefinition
from durable_ext.authoring.entity_context import EntityContext, EntityScope
from durable_ext.authoring.entity_state import EntityState
from durable_ext.authoring.payload import encode
from durable_ext.authoring.registry import Registry
from durable_ext.records.entity_id import EntityId
from durable_ext.records.events import Input
from durable_ext.records.failures import failure_from
from durable_ext.records.instance import Execution
from durable_ext.records.payloads import Payload
from durable_ext.replay.entity_turn import LiveEntity, Operation, Outcome
from durable_ext.replay.turn import TurnResult
from durable_ext.worker.entities.waiting import Waiting
from durable_ext.worker.payload_store import PayloadStore
from durable_ext.worker.stalls import Stalls
from durable_ext.worker.telemetry import SILENCE, RunTold, Telemetry


class EntityCode:
    """The entities of a registry."""

    def __init__(
        self, registry: Registry, payloads: PayloadStore, stalls: Stalls, telemetry: Telemetry = SILENCE
    ) -> None:
        self._registry = registry
        self._stalls = stalls
        self._telemetry = telemetry
        self._converter = registry.converter
        self._payloads = payloads

    async def take_turn(self, entity: LiveEntity, inputs: Sequence[Input], now: datetime) -> TurnResult:
        """One turn of an entity. Raises StorageError when a payload cannot be read."""

        async def run(operation: Operation, first_id: int) -> Outcome:
            entity_id, known = entity.execution.instance_id, self._registry.entities
            with self._telemetry.operation(entity_id, operation.request, known=known) as told:
                outcome = await self._run(entity.execution, operation, first_id)
                failure = outcome.failure
                told.ended(None if failure is None else self._payloads.seal.close_failure(failure))
                return outcome if not outcome.sent else _sent_from(outcome, told)

        return await entity.take_turn(inputs, now, run)

    async def _run(self, execution: Execution, operation: Operation, first_id: int) -> Outcome:
        request = operation.request
        refusal = self._stalls.refusal(execution.instance_id, execution.execution_id, request.operation)
        if refusal is not None:
            return Outcome(state=operation.state, failure=failure_from(refusal))
        context_input = None if request.input is None else await self._payloads.get(request.input)
        stored = None if operation.state is None else await self._payloads.get(operation.state)
        scope = EntityScope(
            execution=execution,
            operation=request.operation,
            now=operation.now,
            input=context_input,
            position=operation.position,
            size=operation.size,
            caller_id=None if request.caller is None else request.caller.instance_id,
            first_id=first_id,
            naming=self._registry,
        )
        attempt = _Attempt(scope, stored, self._registry)
        outcome = await attempt.run()
        # The payload in storage stays where it is while nothing has changed.
        unchanged = outcome.state is stored
        return Outcome(
            state=operation.state if unchanged else outcome.state,
            result=outcome.result,
            failure=outcome.failure,
            sent=outcome.sent,
        )


def _sent_from(outcome: Outcome, told: RunTold) -> Outcome:
    return msgspec.structs.replace(outcome, sent=told.stamped(outcome.sent))


class _Attempt:
    """One run of one operation."""

    def __init__(self, scope: EntityScope, stored: Payload | None, registry: Registry) -> None:
        self._stored = stored
        self._registry = registry
        self._converter = registry.converter
        self._entity_id = EntityId.parse(scope.execution.instance_id)
        self._state = EntityState(stored, self._converter)
        self._context = EntityContext(scope, self._state, self._converter)

    async def run(self) -> Outcome:
        definition = self._registry.entities.get(self._entity_id.name)
        if definition is None:
            error = self._registry.missing_entity(self._entity_id.name)
            return Outcome(state=self._stored, failure=failure_from(error))
        try:
            result = encode(self._converter, await self._call(definition))
            _, sent = self._context.outcome
            return Outcome(state=self._state.encoded(), result=result, sent=sent)
        except (Exception, SystemExit) as error:  # noqa: BLE001 - whatever the user's code raises is the operation's failure
            return self._failed(definition, error)

    async def _call(self, definition: EntityDefinition) -> Any:
        context = self._context
        if definition.is_async(context.operation):
            returned = await Waiting(definition.call(context))
        else:
            returned = await asyncio.to_thread(definition.call, context)
        set_result, _ = context.outcome
        return set_result if returned is None else returned

    def _failed(self, definition: EntityDefinition, error: BaseException) -> Outcome:
        failure = failure_from(error)
        if definition.rolls_back:
            return Outcome(state=self._stored, failure=failure)
        try:
            state = self._state.encoded()
        except Exception:  # noqa: BLE001 - a state that is no data cannot be kept; the operation has failed anyway
            state = self._stored
        return Outcome(state=state, failure=failure, sent=self._context.outcome[1])
