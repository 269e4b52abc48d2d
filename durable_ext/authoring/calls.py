"""What the rooms of the orchestration context share: the task of a call, and its attempts.

A room mixes this in and adds its verbs; what a verb returns goes through `_task`: generators get views to yield.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, TypeVar

from durable_ext.authoring.decisions import Decisions
from durable_ext.authoring.definition import Definition
from durable_ext.authoring.options import ActivityOptions, ChildOptions
from durable_ext.authoring.payload import Converter, or_none
from durable_ext.authoring.registry import Registry
from durable_ext.authoring.retry import RetryPolicy, check_policy
from durable_ext.authoring.tasks import GeneratorTask
from durable_ext.errors import TaskFailedError

_T = TypeVar("_T")
_Kind = Callable[[asyncio.Future[Any]], GeneratorTask]
# Decides one attempt; its argument is the number of it, from 1.
_Ask = Callable[[int], asyncio.Future[Any]]


class Calls:
    """Mixed into each room that asks for something and waits for the answer."""

    _decisions: Decisions
    _registry: Registry
    _converter: Converter

    def _task(
        self, future: asyncio.Future[_T], kind: _Kind = GeneratorTask, *, number: int | str | None = None
    ) -> asyncio.Future[_T]:
        """What the code gets. `number` is the id of a generator's task; None: that of the decision just made."""
        del kind, number
        return future

    def _expected(self, kind: Any) -> Any:
        """What `expected_type` means to the code; None is no type."""
        return Any if kind is None else kind

    def _retrying(self, ask: _Ask, policy: RetryPolicy | None) -> asyncio.Future[Any]:
        if policy is None:
            return ask(1)
        check_policy("retry", policy)
        # The first attempt is decided now, in the order of the calls, not when the loop gets to the task.
        first = ask(1)
        attempts = self._decisions.loop.create_task(self._attempts(first, ask, policy))
        # Cancelled before it ran it has nothing that it could cancel itself.
        attempts.add_done_callback(lambda _: first.cancel())
        return attempts

    async def _attempts(self, attempt: asyncio.Future[Any], ask: _Ask, policy: RetryPolicy) -> Any:
        started = self._decisions.now
        number = 1
        while True:
            try:
                return await attempt
            except TaskFailedError as error:
                pause = policy.pause(number, error.failure, started, self._decisions.now)
                if pause is None:
                    raise
            await asyncio.sleep(pause.total_seconds())
            number += 1
            attempt = ask(number)


def wanted_type(options: ActivityOptions | ChildOptions, definition: Definition | None) -> Any:
    """The type a result is decoded as: what the call asks for, else what the registered function returns."""
    if options.get("expected_type") is not None:
        return or_none(options.get("expected_type"))
    return options.get("result_type", Any if definition is None else definition.output_type)
