"""Levels that are read when somebody asks: from what the process knows anyway, without a call to storage."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING
from weakref import WeakMethod

from opentelemetry.metrics import CallbackOptions, Observation

from durable_ext.worker.telemetry import Level, Readings

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

_UNITS = {
    Level.SESSIONS: "{session}",
    Level.KEPT: "{instance}",
    Level.ACTIVITIES: "{activity}",
    Level.SLOTS: "{activity}",
    Level.PROCESSES: "{activity}",
    Level.HELD: "{delivery}",
    Level.OLDEST_WORK: "s",
    Level.QUEUE_ROOM: "{message}",
}


class Levels:
    """The gauges, over whoever has something to read and lives."""

    def __init__(self, meter: Meter) -> None:
        self._sources: list[WeakMethod[Readings]] = []
        for level in Level:
            meter.create_observable_gauge(level.value, [partial(self._observe, level)], _UNITS[level])

    def add(self, readings: Readings) -> None:
        """Read these too, a method of an object."""
        alive = [source for source in self._sources if source() is not None]
        self._sources = [*alive, WeakMethod(readings)]

    def _observe(self, level: Level, _options: CallbackOptions) -> Iterable[Observation]:
        # Exporters ask from threads of their own: whoever has changed the list here would lose a source just added.
        for source in self._sources:
            readings = source()
            for reading in () if readings is None else readings():
                if reading.level is level:
                    yield Observation(reading.value, dict(reading.attributes))
