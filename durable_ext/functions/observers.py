"""Who is told what the engine does, as the app's settings say. Nothing of it is loaded while nobody is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_ext.functions.settings import AppSettings, Told
from durable_ext.worker.telemetry import SILENCE

if TYPE_CHECKING:
    from durable_ext.worker.telemetry import Telemetry


def telemetry_of(settings: AppSettings) -> Telemetry:
    """The listener that the settings ask for. Raises ConfigurationError when its library is not installed."""
    if settings.telemetry is Told.OFF:
        return SILENCE
    from durable_ext.telemetry import open_telemetry

    return open_telemetry(
        traces=settings.telemetry in (Told.ON, Told.TRACES), metrics=settings.telemetry in (Told.ON, Told.METRICS)
    )
