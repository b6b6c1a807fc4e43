//! Spans around calls, and the trace context that joins those of two processes.
//!
//! While nobody listens, a span is one look at a static.

use std::fmt::Display;

use tracing::span::EnteredSpan;
use tracing::{Level, Span, debug, debug_span, field, level_enabled};

use crate::arena::Claim;
use crate::error::Error;

/// A call from before its request is sent until it has ended.
pub(crate) struct TracedCall {
    span: Span,
}

impl TracedCall {
    /// Begins the span and, unless the program named a trace, says in the slot that the request is of this one.
    #[inline]
    pub(crate) fn begin(claim: &Claim) -> TracedCall {
        let span = if level_enabled!(Level::DEBUG) { call_span(claim) } else { Span::none() };
        #[cfg(feature = "opentelemetry")]
        opentelemetry_api::carry(claim, &span);
        TracedCall { span }
    }

    /// Ends the span with what became of the call.
    #[inline]
    pub(crate) fn end<T>(self, claim: &Claim, ended: Result<T, Error>) -> Result<T, Error> {
        if !self.span.is_disabled() {
            self.note(claim, ended.as_ref().err());
        }
        ended
    }

    #[cold]
    fn note(&self, claim: &Claim, error: Option<&Error>) {
        let (attempt, redelivered) = claim.attempt();
        self.span.record("attempt", i64::from(attempt)).record("redelivered", redelivered);
        if let Some(error) = error {
            self.span.record("otel.status_code", "ERROR");
            self.span
                .in_scope(|| debug!(target: "tensorbridge", code = error.code(), %error, "the call failed"));
        }
    }
}

/// As OpenTelemetry has numbers: it takes an unsigned one for text.
fn number(size: usize) -> i64 {
    i64::try_from(size).unwrap_or(i64::MAX)
}

#[cold]
fn call_span(claim: &Claim) -> Span {
    let (arena, slot) = (claim.arena().name(), number(claim.slot()));
    debug_span!(
        target: "tensorbridge",
        "call",
        arena,
        slot,
        attempt = field::Empty,
        redelivered = field::Empty,
        otel.kind = "client",
        otel.status_code = field::Empty,
    )
}

/// The trace context of the program's current span, for a record that is sent one way and names no trace of its own.
#[inline]
pub(crate) fn carry_current(claim: &Claim) {
    #[cfg(feature = "opentelemetry")]
    opentelemetry_api::carry(claim, &Span::none());
    #[cfg(not(feature = "opentelemetry"))]
    let _ = claim;
}

/// The answering of requests, from when they were taken until the handler has returned. Its span is the current one
/// meanwhile.
pub(crate) struct TracedServe {
    span: EnteredSpan,
}

impl TracedServe {
    /// Begins a span of the trace of the first request that has one, linked to the traces of the others.
    ///
    /// # Panics
    /// If there are no requests.
    #[inline]
    pub(crate) fn begin(claims: &[Claim]) -> TracedServe {
        let span = if level_enabled!(Level::DEBUG) { serve_span(claims) } else { Span::none() };
        TracedServe { span: span.entered() }
    }

    /// Ends the span with what the handler gave.
    #[inline]
    pub(crate) fn end<E: Display>(self, handled: Result<(), E>) -> Result<(), E> {
        if let Err(error) = &handled {
            self.span.record("otel.status_code", "ERROR");
            debug!(target: "tensorbridge", %error, "the handler failed");
        }
        handled
    }
}

#[cold]
fn serve_span(claims: &[Claim]) -> Span {
    let first = &claims[0];
    let (attempt, redelivered) = first.attempt();
    let (arena, slot, requests) = (first.arena().name(), number(first.slot()), number(claims.len()));
    let span = debug_span!(
        target: "tensorbridge",
        "serve",
        arena,
        slot,
        requests,
        attempt = i64::from(attempt),
        redelivered,
        trace = field::Empty,
        otel.kind = "server",
        otel.status_code = field::Empty,
    );
    if span.is_disabled() {
        return span;
    }
    let mut traces = claims.iter().filter_map(Claim::trace);
    if let Some(parent) = traces.next() {
        span.record("trace", field::display(parent));
        #[cfg(feature = "opentelemetry")]
        opentelemetry_api::follow(&span, parent, traces);
    }
    span
}

#[cfg(feature = "opentelemetry")]
mod opentelemetry_api {
    use opentelemetry::Context;
    use opentelemetry::trace::{SpanContext, TraceContextExt};
    use tracing::{Span, dispatcher};
    use tracing_opentelemetry::OpenTelemetrySpanExt;

    use crate::arena::Claim;
    use crate::trace::TraceContext;

    /// Writes the context of `span`, or of the program's current one, into the slot. If the program named a trace, that one
    /// stays, and `span` belongs to it.
    pub(super) fn carry(claim: &Claim, span: &Span) {
        if let Some(named) = claim.trace() {
            return follow(span, named, std::iter::empty());
        }
        let of_span = match span.is_disabled() {
            false => Some(span.context()),
            true => dispatcher::has_been_set().then(|| Span::current().context()),
        };
        let context_of = |context: &Context| context.span().span_context().clone();
        let context = of_span.map(|context| context_of(&context)).filter(SpanContext::is_valid);
        // A program may use OpenTelemetry without `tracing`.
        let context = context.unwrap_or_else(|| Context::map_current(context_of));
        if let Some(trace) = TraceContext::from_span_context(&context) {
            claim.set_trace(Some(trace));
        }
    }

    /// Makes a span that has not begun one of the trace, and links it to the others.
    pub(super) fn follow(span: &Span, parent: TraceContext, others: impl Iterator<Item = TraceContext>) {
        let remote = Context::new().with_remote_span_context(parent.to_span_context());
        // Refused where no OpenTelemetry listens: then there is nothing to join.
        let _ = span.set_parent(remote);
        others.for_each(|other| span.add_link(other.to_span_context()));
    }
}
