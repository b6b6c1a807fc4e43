"""Spans of calls, and the trace context that goes with a record, in programs that use OpenTelemetry."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from . import _core

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext, Tracer


def in_use() -> bool:
    """Whether the program has imported OpenTelemetry. While it has not, nothing here costs anything."""
    return "opentelemetry.trace" in sys.modules


@lru_cache(maxsize=1)
def _tracer() -> Tracer:
    from opentelemetry import trace

    return trace.get_tracer("tensorbridge", _core.__version__)


@contextmanager
def sending(record: _core.Handle) -> Iterator[None]:
    """The current span's context goes with a record, unless the program named another."""
    from opentelemetry import trace

    named = record.traces()[0] is not None
    if not named:
        _carry(record, trace.get_current_span().get_span_context())
    try:
        yield
    finally:
        if not named and record.gone is None:
            # It could not be sent; when it is, another span may be the current one.
            record.set_trace(None)


@contextmanager
def calling(request: _core.Handle) -> Iterator[Callable[[_core.Handle], _core.Handle]]:
    """A span of a call, whose context goes with the request; if the program named a trace, both belong to that one. What it
    gives is shown the reply, which says how the call went."""
    from opentelemetry.trace import SpanKind

    attributes: dict[str, str | int] = {"arena": request.arena or "", "slot": request.slot}
    [named] = request.traces()
    context = None if named is None else _context(_span_context(named))
    with (
        _tracer().start_as_current_span("call", context, SpanKind.CLIENT, attributes) as span,
        sending(request),
    ):

        def answered(reply: _core.Handle) -> _core.Handle:
            attempt, redelivered = reply.attempt
            span.set_attributes({"attempt": attempt, "redelivered": redelivered})
            return reply

        yield answered


@contextmanager
def serving(arena: str, requests: _core.Handle) -> Iterator[None]:
    """A span of answering a run of requests, of the trace of the first that has one and linked to those of the others."""
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, SpanKind

    parents = [_span_context(trace) for trace in requests.traces() if trace is not None]
    attempt, redelivered = requests.attempt
    with _tracer().start_as_current_span(
        "serve",
        context=_context(parents[0]) if parents else Context(),
        kind=SpanKind.SERVER,
        links=[Link(parent) for parent in parents[1:]],
        attributes={
            "arena": arena,
            "slot": requests.slot,
            "requests": requests.records or 1,
            "attempt": attempt,
            "redelivered": redelivered,
        },
    ):
        yield


def _carry(record: _core.Handle, context: SpanContext) -> None:
    if context.is_valid:
        record.set_trace(f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & 0xFF:02x}")


def _context(parent: SpanContext) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace import NonRecordingSpan, set_span_in_context

    return set_span_in_context(NonRecordingSpan(parent), Context())


def _span_context(traceparent: str) -> SpanContext:
    from opentelemetry.trace import SpanContext, TraceFlags

    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
