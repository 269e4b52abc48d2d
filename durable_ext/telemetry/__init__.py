"""The listener that speaks OpenTelemetry: spans with the names and attributes of Durable Functions, and measurements.

Only this room knows the library, and only an app that switched it on loads this room (`DURABLE_TELEMETRY`). It uses the
API alone: where spans and measurements go is for the app to set up, with the SDK or a distribution of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from durable_ext.errors import ConfigurationError

if TYPE_CHECKING:
    from durable_ext.worker.telemetry import Telemetry


def open_telemetry(*, traces: bool = True, metrics: bool = True) -> Telemetry:
    """A listener over the providers that the process has set up, now or later.

    Raises ConfigurationError when OpenTelemetry is not installed.
    """
    try:
        from durable_ext.telemetry.listener import OpenTelemetry
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"telemetry is switched on and {error.name} is not installed: pip install 'durable_ext[telemetry]', "
            "or set DURABLE_TELEMETRY to off"
        ) from error
    return OpenTelemetry(traces=traces, metrics=metrics)
