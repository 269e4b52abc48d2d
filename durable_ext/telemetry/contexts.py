"""Spans as the engine keeps them (text, W3C) and as OpenTelemetry has them."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from functools import lru_cache

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from durable_ext.records.trace import TraceContext

_propagator = TraceContextTextMapPropagator()
# What others have to pass on; a longer state may be left out.
_LONGEST_STATE = 512


@lru_cache(maxsize=1024)
def context_of(kept: TraceContext | None) -> Context:
    """A context of its own in which a kept span is the current one; without one, or for nonsense, no span is."""
    return Context() if kept is None else _extracted(kept)


def _extracted(kept: TraceContext) -> Context:
    return _propagator.extract({"traceparent": kept.parent, "tracestate": kept.state}, Context())


def kept_of(span: trace.Span) -> TraceContext | None:
    """A span as text; None when there is none to speak of, as while nothing is set up that makes them."""
    found = span.get_span_context()
    if not found.is_valid:
        return None
    state = found.trace_state.to_header()
    return TraceContext(
        f"00-{found.trace_id:032x}-{found.span_id:016x}-{found.trace_flags:02x}",
        state if len(state) <= _LONGEST_STATE else "",
    )


@contextmanager
def attached(kept: TraceContext) -> Generator[None]:
    """Inside, a kept span is the current one. A child process enters it by name."""
    # Not remembered: over HTTP it is a stranger's text, of any length.
    token = attach(_extracted(kept))
    try:
        yield
    finally:
        detach(token)


@contextmanager
def incoming(headers: Mapping[str, str]) -> Generator[None]:
    """Inside, the span that a request names is the current one, unless somebody made one current already."""
    parent = headers.get("traceparent", "")
    if not parent or trace.get_current_span().get_span_context().is_valid:
        yield
        return
    with attached(TraceContext(parent, headers.get("tracestate", ""))):
        yield
