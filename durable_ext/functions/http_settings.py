"""Settings of HTTP: what callers may ask for, and by which names and from which pages `durable host` may be called."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta

import msgspec

from durable_ext.errors import ConfigurationError
from durable_ext.functions.lifecycle_settings import whole_number
from durable_ext.http_api.limits import BODY_BYTES, BODY_SECONDS, BYTES_IN_FLIGHT, PAGE_BYTES, HttpLimits

ANY = "*"
_MB = 1024 * 1024
_MOST_MB = 64 * 1024
_HOST = re.compile(r"[a-z0-9_](?:[a-z0-9._-]*[a-z0-9])?|\[[0-9a-f:.]+\]")
_ORIGIN = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?")


class HttpSettings(msgspec.Struct, frozen=True, kw_only=True):
    """`hosts` are names beside those that a host finds itself, `origins` those of pages that may call; `*` is any."""

    limits: HttpLimits = HttpLimits()
    hosts: frozenset[str] = frozenset()
    origins: frozenset[str] = frozenset()


def read_http(environ: Mapping[str, str]) -> HttpSettings:
    """The settings of an environment without blanks. Raises ConfigurationError that names the setting."""
    body = _bytes(environ, "DURABLE_HTTP_BODY_MB", BODY_BYTES)
    in_flight = _bytes(environ, "DURABLE_HTTP_IN_FLIGHT_MB", max(BYTES_IN_FLIGHT, body))
    if in_flight < body:
        raise ConfigurationError("DURABLE_HTTP_IN_FLIGHT_MB is below DURABLE_HTTP_BODY_MB; one body has to fit")
    seconds = whole_number(environ, "DURABLE_HTTP_BODY_SECONDS", BODY_SECONDS, range(1, 3601))
    return HttpSettings(
        limits=HttpLimits(
            body=body,
            in_flight=in_flight,
            arrival=timedelta(seconds=seconds),
            page=_bytes(environ, "DURABLE_HTTP_PAGE_MB", PAGE_BYTES),
        ),
        hosts=_names(environ, "DURABLE_HTTP_HOSTS", _HOST, "names of hosts without a port, by commas, or *"),
        origins=_names(environ, "DURABLE_HTTP_ORIGINS", _ORIGIN, "origins as https://host:port, by commas, or *"),
    )


def _bytes(environ: Mapping[str, str], name: str, default: int) -> int:
    return whole_number(environ, name, -(-default // _MB), range(1, _MOST_MB + 1)) * _MB


def _names(environ: Mapping[str, str], name: str, pattern: re.Pattern[str], takes: str) -> frozenset[str]:
    text = environ.get(name, "")
    names = frozenset(found for part in text.split(",") if (found := part.strip().lower().rstrip("/")))
    if any(found != ANY and not pattern.fullmatch(found) for found in names):
        raise ConfigurationError(f"{name} is {text!r}; it takes {takes}")
    return names
