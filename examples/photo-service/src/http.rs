//! The HTTP side: a photo comes in, goes into a slot, and its labels go out.

use crate::failure::Failure;
use crate::model::Model;
use crate::options::Serve;
use crate::records::{Photo, Scores};
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use imagenet::{labels, photo, preprocess, scores};
use opentelemetry::Context;
use opentelemetry::trace::TraceContextExt;
use serde::{Deserialize, Serialize};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tensorbridge::trace::TraceContext;
use tensorbridge::{CallLoan, Client, Error};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{Instrument, Span, info_span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The largest file that is taken.
pub(crate) const MOST_BYTES: usize = 16 << 20;

/// How many classes an answer has.
const TOP: usize = 5;

/// What is on a photo, the most probable class first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub(crate) labels: Vec<Guess>,
}

/// One of ImageNet's classes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Guess {
    pub(crate) label: String,
    /// From 0 to 1.
    pub(crate) probability: f64,
}

/// What every request needs.
pub(crate) type Calls = Arc<Client<Photo, Scores>>;

/// `POST /classify` with a JPEG or PNG file as the body, and `GET /health`.
pub(crate) fn router(client: Client<Photo, Scores>) -> Router {
    Router::new()
        .route("/classify", post(classify).layer(DefaultBodyLimit::max(MOST_BYTES)))
        .route("/health", get(health))
        .with_state(Arc::new(client))
}

/// Serves until Ctrl-C or SIGTERM; then lets requests under way finish.
///
/// # Errors
/// When the port is taken, or the workers cannot be started.
pub(crate) async fn serve(options: &Serve) -> Result<(), crate::Failure> {
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::from_default_env())
        .with_writer(std::io::stderr)
        .init();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let model_options = options.model.clone();
    let model = tokio::task::spawn_blocking(move || Model::start(&model_options, None)).await??;
    let (listener, address) = listen(options.port).await?;
    println!("http://{address}/classify");
    let asked_to_stop = async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    axum::serve(listener, router(model.client()?)).with_graceful_shutdown(asked_to_stop).await?;
    tokio::task::spawn_blocking(|| model.stop()).await??;
    Ok(())
}

/// A listener on loopback; port 0 takes a free one.
pub(crate) async fn listen(port: u16) -> std::io::Result<(TcpListener, SocketAddr)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

async fn health(State(client): State<Calls>) -> Result<&'static str, Failure> {
    match client.is_connected() {
        true => Ok("ok\n"),
        false => Err(Failure::Ended),
    }
}

async fn classify(
    State(client): State<Calls>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<Answer>, Failure> {
    let body = body?;
    let span = info_span!("POST /classify", bytes = body.len() as i64, otel.kind = "server");
    join(&span, &headers);
    answer(&client, body).instrument(span).await.map(Json)
}

/// Makes the span one of the trace that the request belongs to, if it says so. A header that is none counts for nothing, as
/// the standard demands.
fn join(span: &Span, headers: &HeaderMap) {
    let text = headers.get("traceparent").and_then(|value| value.to_str().ok());
    if let Some(trace) = text.and_then(|text| text.parse::<TraceContext>().ok()) {
        // Refused where nobody listens.
        let _ = span.set_parent(Context::new().with_remote_span_context(trace.to_span_context()));
    }
}

async fn answer(client: &Calls, body: Bytes) -> Result<Answer, Failure> {
    // The slot first: there are never more photos being decoded than there is room for.
    let loan = client.loan_async().instrument(info_span!("loan")).await?;
    let decoding = info_span!("decode");
    let decoded = tokio::task::spawn_blocking(move || decoding.in_scope(|| decode(&body, loan)));
    let loan = decoded.await.map_err(|_| Failure::Ended)??;
    // A caller that hangs up drops this future, and with it the call.
    let reply = loan.call_async().await.map_err(Error::from)?;
    let guesses = scores::top(reply.logits(), TOP).into_iter();
    let named = |guess: scores::Guess| Guess {
        label: labels::label(guess.class).to_owned(),
        probability: guess.probability,
    };
    Ok(Answer { labels: guesses.map(named).collect() })
}

/// From a file's content to the network's input, in the slot.
fn decode(content: &[u8], mut loan: CallLoan<Photo, Scores>) -> Result<CallLoan<Photo, Scores>, Failure> {
    let photo = photo::decode(content)?;
    preprocess::write_planes(&photo, loan.pixels_mut());
    Ok(loan)
}
