"""Settings of life-cycle events. The key of a topic stays where it is: only the name of its setting is read here."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import msgspec

from durable_ext.authoring.lifecycle import PUBLISHED
from durable_ext.errors import ConfigurationError
from durable_ext.records.instance import RuntimeStatus

_STATUSES = {status.value.lower(): status for status in PUBLISHED} | {"started": RuntimeStatus.RUNNING}


class LifecycleSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`endpoint` empty: no topic. `key_setting` empty: the app's identity. `retry_statuses` None: the usual ones."""

    endpoint: str = ""
    key_setting: str = ""
    statuses: frozenset[RuntimeStatus] = PUBLISHED
    retries: int = 0
    retry_interval: timedelta = timedelta(minutes=5)
    retry_statuses: frozenset[int] | None = None


def read_lifecycle(environ: Mapping[str, str]) -> LifecycleSettings:
    """The settings of an environment without blanks. Raises ConfigurationError that names the setting."""
    endpoint, key_setting = (
        environ.get("DURABLE_EVENT_GRID_ENDPOINT", ""),
        environ.get("DURABLE_EVENT_GRID_KEY_SETTING", ""),
    )
    if endpoint:
        _check_endpoint(endpoint)
    if key_setting and not environ.get(key_setting):
        raise ConfigurationError(f"DURABLE_EVENT_GRID_KEY_SETTING names the setting {key_setting!r}, which is not set")
    interval = whole_number(environ, "DURABLE_LIFECYCLE_RETRY_INTERVAL", 300, range(1, 24 * 3600 + 1))
    return LifecycleSettings(
        endpoint=endpoint,
        key_setting=key_setting,
        statuses=_statuses(environ.get("DURABLE_LIFECYCLE_EVENTS")),
        retries=whole_number(environ, "DURABLE_LIFECYCLE_RETRIES", 0, range(1001)),
        retry_interval=timedelta(seconds=interval),
        retry_statuses=_codes(environ.get("DURABLE_EVENT_GRID_RETRY_STATUS")),
    )


def whole_number(environ: Mapping[str, str], name: str, default: int, allowed: range) -> int:
    """A setting that is a number. Raises ConfigurationError that names it."""
    text = environ.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or int(text) not in allowed:
        raise ConfigurationError(f"{name} is {text!r}; it takes a whole number from {allowed[0]} to {allowed[-1]}")
    return int(text)


def _check_endpoint(endpoint: str) -> None:
    from durable_ext.outbound.event_grid import checked_endpoint

    try:
        checked_endpoint(endpoint)
    except ConfigurationError as error:
        raise ConfigurationError(f"DURABLE_EVENT_GRID_ENDPOINT: {error}") from error


def _statuses(text: str | None) -> frozenset[RuntimeStatus]:
    if text is None:
        return PUBLISHED
    names = [part.strip().lower() for part in text.split(",") if part.strip()]
    unknown = [name for name in names if name not in _STATUSES]
    if unknown or not names:
        known = ", ".join(sorted(status.value for status in PUBLISHED))
        raise ConfigurationError(f"DURABLE_LIFECYCLE_EVENTS is {text!r}; it takes {known}, by commas")
    return frozenset(_STATUSES[name] for name in names)


def _codes(text: str | None) -> frozenset[int] | None:
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if any(not (part.isascii() and part.isdigit() and len(part) == 3) for part in parts):
        raise ConfigurationError(f"DURABLE_EVENT_GRID_RETRY_STATUS is {text!r}; it takes HTTP status codes, by commas")
    return frozenset(map(int, parts))
