"""Where something happened, for whoever draws traces: a span, as W3C Trace Context spells it."""

from __future__ import annotations

import msgspec


class TraceContext(msgspec.Struct, frozen=True, omit_defaults=True):
    """A span of some trace. `parent` is its traceparent, `state` the tracestate that goes along."""

    parent: str
    state: str = ""
