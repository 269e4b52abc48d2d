"""Who is told what the engine does, as the app's settings say. Nothing of it is loaded while nobody is."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from durable_ext.functions.settings import AppSettings, Told
from durable_ext.worker.lifecycle import Lifecycle
from durable_ext.worker.telemetry import SILENCE

if TYPE_CHECKING:
    from durable_ext.authoring.lifecycle import LifecyclePublisher
    from durable_ext.worker.telemetry import Telemetry


def telemetry_of(settings: AppSettings) -> Telemetry:
    """The listener that the settings ask for. Raises ConfigurationError when its library is not installed."""
    if settings.telemetry is Told.OFF:
        return SILENCE
    from durable_ext.telemetry import open_telemetry

    return open_telemetry(
        traces=settings.telemetry in (Told.ON, Told.TRACES), metrics=settings.telemetry in (Told.ON, Told.METRICS)
    )


def lifecycle_of(settings: AppSettings, own: LifecyclePublisher | None) -> Lifecycle | None:
    """Who publishes the hub's life-cycle events: the app's own publisher, else the topic that the settings name."""
    chosen = settings.lifecycle
    publisher = own
    if publisher is None and chosen.endpoint:
        from durable_ext.outbound.event_grid import RETRIED, EventGridPublisher

        key_of = (lambda: os.environ[chosen.key_setting].strip()) if chosen.key_setting else None
        retried = RETRIED if chosen.retry_statuses is None else chosen.retry_statuses
        publisher = EventGridPublisher(chosen.endpoint, key_of, retried=retried)
    if publisher is None:
        return None
    return Lifecycle(
        publisher=publisher,
        hub=settings.hub,
        statuses=chosen.statuses,
        retries=chosen.retries,
        retry_interval=chosen.retry_interval,
    )
