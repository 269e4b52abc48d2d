"""How much a caller may ask for: bytes of one body, of all that are under way, of a page, and the time a body takes."""

from __future__ import annotations

from datetime import timedelta

import msgspec

_MB = 1024 * 1024
BODY_BYTES = 100 * _MB
BYTES_IN_FLIGHT = 256 * _MB
BODY_SECONDS = 120
PAGE_BYTES = 16 * _MB


class HttpLimits(msgspec.Struct, frozen=True, kw_only=True):
    """`body`: bytes of one body, above which it is 413. `in_flight`: bytes of all bodies and answers under way, above
    which others are told to come back. `arrival`: how long a body may take to arrive. `page`: bytes after which a list,
    or a history, goes on in another page."""

    body: int = BODY_BYTES
    in_flight: int = BYTES_IN_FLIGHT
    arrival: timedelta = timedelta(seconds=BODY_SECONDS)
    page: int = PAGE_BYTES
