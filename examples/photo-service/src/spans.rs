//! The spans that this process and its workers recorded.

use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::trace::{InMemorySpanExporter, Sampler, SdkTracerProvider, SpanData};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};
use tempfile::TempDir;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

/// A span of any process, as a line of the workers' file has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SpanRecord {
    pub(crate) name: String,
    pub(crate) trace: String,
    pub(crate) span: String,
    pub(crate) parent: Option<String>,
    /// The process id.
    pub(crate) process: u32,
    /// Nanoseconds since 1970.
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) attributes: Map<String, Value>,
}

/// Collects the spans of the traces that a caller asks for: those whose `traceparent` says that they are sampled.
pub(crate) struct Recorder {
    here: InMemorySpanExporter,
    // Kept: it flushes when it is dropped.
    _provider: SdkTracerProvider,
    directory: TempDir,
}

impl Recorder {
    /// Makes it this process's subscriber.
    ///
    /// # Errors
    /// When there is no place for the workers' file, or another subscriber.
    pub(crate) fn install() -> Result<Recorder, crate::Failure> {
        let here = InMemorySpanExporter::default();
        let provider = SdkTracerProvider::builder()
            .with_simple_exporter(here.clone())
            .with_sampler(Sampler::ParentBased(Box::new(Sampler::AlwaysOff)))
            .build();
        let traces = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("photo-service"))
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(LevelFilter::DEBUG);
        let log = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_filter(tracing_subscriber::EnvFilter::from_default_env());
        tracing_subscriber::registry().with(traces).with(log).try_init()?;
        let directory = tempfile::Builder::new().prefix("photo-service.").tempdir()?;
        Ok(Recorder { here, _provider: provider, directory })
    }

    /// The file that workers write their spans into.
    pub(crate) fn file(&self) -> PathBuf {
        self.directory.path().join("spans")
    }

    /// What both sides recorded of a trace, by when it began.
    ///
    /// # Errors
    /// When the workers' file is not as they write it.
    pub(crate) fn spans_of(&self, trace: u128) -> Result<Vec<SpanRecord>, crate::Failure> {
        let trace = format!("{trace:032x}");
        let mut spans: Vec<_> = self.here.get_finished_spans()?.iter().map(of_this_process).collect();
        spans.extend(read(&self.file())?);
        spans.retain(|span| span.trace == trace);
        spans.sort_by_key(|span| span.start);
        Ok(spans)
    }
}

fn read(path: &Path) -> Result<Vec<SpanRecord>, crate::Failure> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        text => text?,
    };
    Ok(text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?)
}

fn of_this_process(span: &SpanData) -> SpanRecord {
    let context = &span.span_context;
    let nanoseconds = |time: SystemTime| {
        let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
    };
    let value = |value: &opentelemetry::Value| match value {
        opentelemetry::Value::Bool(value) => Value::from(*value),
        opentelemetry::Value::I64(value) => Value::from(*value),
        opentelemetry::Value::F64(value) => Value::from(*value),
        other => Value::from(other.to_string()),
    };
    let attributes = span.attributes.iter().map(|pair| (pair.key.to_string(), value(&pair.value)));
    SpanRecord {
        name: span.name.to_string(),
        trace: context.trace_id().to_string(),
        span: context.span_id().to_string(),
        parent: Some(span.parent_span_id.to_string()),
        process: std::process::id(),
        start: nanoseconds(span.start_time),
        end: nanoseconds(span.end_time),
        attributes: attributes.collect(),
    }
}
