"""One instance as a test sees it: its status, what comes of it, and what can be done to it from outside."""

from __future__ import annotations

from collections.abc import Coroutine, Sequence
from datetime import datetime, timedelta
from typing import Any, Generic, Protocol, TypeVar

from durable_ext.authoring.status import InstanceStatus
from durable_ext.errors import InstanceNotFoundError
from durable_ext.records.events import Event
from durable_ext.records.instance import RuntimeStatus
from durable_ext.testing.harness_engine import HarnessEngine
from durable_ext.testing.harness_waits import waits_of

Out = TypeVar("Out")
_T = TypeVar("_T")

# What an orchestration may take unless told: long enough for a year's worth of timers.
LONGEST = timedelta(days=366)


class Driver(Protocol):
    """The harness, as far as an instance needs it."""

    @property
    def engine(self) -> HarnessEngine: ...

    def do(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Do something from outside, and then let everything happen that needs no time."""
        ...


class HarnessInstance(Generic[Out]):
    """An instance of a harness. `id` is its instance id; all else is read from the hub when it is asked for."""

    def __init__(self, driver: Driver, instance_id: str, output_type: Any = Any) -> None:
        self.id = instance_id
        self._driver = driver
        self._engine = driver.engine
        self._client = driver.engine.client
        self._output_type = output_type

    @property
    def status(self) -> InstanceStatus:
        """The instance as it is now. Raises InstanceNotFoundError when it was purged."""
        found = self._driver.do(self._client.get(self.id))
        if found is None:
            raise InstanceNotFoundError(f"no instance has the id {self.id!r}")
        return found

    @property
    def runtime_status(self) -> RuntimeStatus:
        return self.status.runtime_status

    @property
    def custom_status(self) -> Any:
        """The custom status as plain JSON value; None while unset."""
        return self.status.custom_status

    @property
    def output(self) -> Out:
        """The output, as the orchestrator's annotation has it. Raises TaskFailedError when the instance failed, and
        AssertionError when it has not completed."""
        status = self.status
        if status.runtime_status not in (RuntimeStatus.COMPLETED, RuntimeStatus.FAILED):
            raise AssertionError(
                f"instance {self.id!r} has no output: it is {status.runtime_status.value}, and waits for "
                f"{', '.join(self.waits_for) or 'nothing'}"
                if not status.runtime_status.is_terminal
                else f"instance {self.id!r} has no output: it is {status.runtime_status.value} ({status.output!r})"
            )
        return status.output_as(self._output_type)

    @property
    def history(self) -> list[Event]:
        """The events of the current execution, in order."""
        return [event for turn in self._driver.do(self._client.history(self.id)) for event in turn.events]

    @property
    def waits_for(self) -> Sequence[str]:
        """What the instance waits for, in words: "event 'approval'", "activity 'charge'". Empty when it is over."""
        status = self.status
        if status.runtime_status.is_terminal:
            return ()
        return self._driver.do(waits_of(status.row, self._client, self._engine.registry))

    def result(self, *, within: timedelta = LONGEST) -> Out:
        """Let time pass until the instance has ended; its output.

        Raises TaskFailedError when it failed, WaitsForeverError when it waits for something that nobody does, and
        AssertionError when it was terminated or has not ended `within` this virtual time.
        """
        self.wait(within=within)
        return self.output

    def wait(self, *, within: timedelta = LONGEST) -> InstanceStatus:
        """Let time pass until the instance has ended, however it ends. Raises as `result`."""
        until = self._engine.clock() + within
        self._driver.do(self._engine.drive(self._has_ended, until))
        status = self.status
        if not status.runtime_status.is_terminal:
            raise AssertionError(
                f"instance {self.id!r} has not ended within {within}: it is {status.runtime_status.value}, and waits "
                f"for {', '.join(self.waits_for) or 'nothing'}"
            )
        return status

    def raise_event(self, name: str, data: Any = None) -> None:
        """Raise an external event. Raises InstanceStateError when the instance has ended."""
        self._driver.do(self._client.raise_event(self.id, name, data))

    def terminate(self, reason: str = "", *, output: Any = None) -> None:
        """End the instance and its children; its status shows the output, by default the reason."""
        self._driver.do(self._client.terminate(self.id, reason, output=output))

    def suspend(self, reason: str = "") -> None:
        """Keep what happens from the instance until it is resumed."""
        self._driver.do(self._client.suspend(self.id, reason))

    def resume(self, reason: str = "") -> None:
        """Undo suspend."""
        self._driver.do(self._client.resume(self.id, reason))

    def ended_at(self) -> datetime | None:
        """When the instance ended; None while it runs."""
        return self.status.row.completed_at

    async def _has_ended(self) -> bool:
        stored = await self._engine.hub.store.read_row(self.id)
        return stored is None or stored.row.status.is_terminal

    def __repr__(self) -> str:
        return f"HarnessInstance({self.id!r})"
