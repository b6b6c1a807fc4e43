//! What a crowd of clients sees: undisturbed, and while workers are killed.

use crate::http::{self, Answer};
use crate::model::Model;
use crate::options::Load;
use crate::report::{Phase, Report};
use crate::spans::Recorder;
use axum::body::Bytes;
use hdrhistogram::Histogram;
use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageError};
use imagenet::photo;
use reqwest::Client;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tensorbridge::trace::TraceContext;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// A request under way longer than this has failed: longer than a photo may wait for its answer.
const BEYOND: Duration = Duration::from_secs(5);

/// How long a slot may take to come back after the last answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// A file to be uploaded, and the class that it has to be found to be of.
struct Upload {
    content: Bytes,
    label: &'static str,
}

/// The photos of this repository, as they are and as JPEG files.
fn uploads() -> Result<Vec<Upload>, crate::Failure> {
    let mut uploads = Vec::new();
    for (path, label) in imagenet::photos() {
        let content = Bytes::from(std::fs::read(&path)?);
        uploads.push(Upload { content, label });
        let content = Bytes::from(as_jpeg(photo::open(&path)?.into())?);
        uploads.push(Upload { content, label });
    }
    Ok(uploads)
}

fn as_jpeg(photo: DynamicImage) -> Result<Vec<u8>, ImageError> {
    let mut content = Vec::new();
    photo.write_with_encoder(JpegEncoder::new_with_quality(&mut content, 92))?;
    Ok(content)
}

/// Starts a server, calls it, prints what was seen; whether every request had its answer.
///
/// # Errors
/// When something stops it before that can be told.
pub(crate) async fn run(options: &Load) -> Result<bool, crate::Failure> {
    let recorder = Recorder::install()?;
    let (spans, model_options) = (recorder.file(), options.model.clone());
    let model = tokio::task::spawn_blocking(move || Model::start(&model_options, Some(&spans))).await??;
    let model = Arc::new(model);
    let (listener, address) = http::listen(0).await?;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = axum::serve(listener, http::router(model.client()?));
    let server = server.with_graceful_shutdown(async move { drop(stopped.await) });
    let serving = tokio::spawn(server.into_future());

    let most = Duration::from_secs(options.seconds);
    let report = timeout(most, measure(options, &model, &recorder, address)).await;
    let mut report = report.map_err(|_| format!("not done within {most:?}"))??;

    stop.send(()).map_err(|()| "the server ended")?;
    serving.await??;
    let ended = tokio::task::spawn_blocking(|| end(model)).await?;
    report.unreturned = ended?;
    report.print(options.json)?;
    Ok(report.held())
}

/// Ends the model; how many slots did not come back.
fn end(model: Arc<Model>) -> Result<usize, crate::Failure> {
    let model = Arc::into_inner(model).ok_or("somebody uses the model still")?;
    let (start, slots) = (Instant::now(), model.slots());
    while model.free_slots() < slots && start.elapsed() < PATIENCE {
        std::thread::sleep(Duration::from_millis(1));
    }
    let unreturned = slots - model.free_slots();
    model.stop()?;
    Ok(unreturned)
}

async fn measure(
    options: &Load,
    model: &Arc<Model>,
    recorder: &Recorder,
    address: SocketAddr,
) -> Result<Report, crate::Failure> {
    let patience = options.model.timeout() + BEYOND;
    let callers = Arc::new(Callers {
        client: Client::builder().no_proxy().timeout(patience).build()?,
        url: format!("http://{address}/classify"),
        uploads: uploads()?,
    });
    // The first photos are slower than those that follow: each worker's first, the first batch of each length, the first of a
    // connection. They would hide what a kill costs.
    let warm_up = options.warm_up.max(options.model.workers as u64 * 2);
    callers.crowd(warm_up, options.clients, &Arc::default()).await?;
    let undisturbed = callers.crowd(options.requests, options.clients, &Arc::default()).await?;
    let done = Arc::<AtomicU64>::default();
    let killing = tokio::spawn(kill(Arc::clone(model), Arc::clone(&done), options.kills, options.requests));
    let mut disturbed = callers.crowd(options.requests, options.clients, &done).await?;
    disturbed.kills = killing.await?;

    let trace = TraceContext::new(0x7072_6f74_6f00_0000_0000_0000_0000_0001, 1, true).ok_or("no trace")?;
    callers.one(1, Some(trace)).await?;
    Ok(Report {
        phases: vec![undisturbed, disturbed],
        restarts: model.restarts(),
        redelivered: model.redelivered(),
        metrics: tensorbridge::metrics(model.name())?,
        trace: recorder.spans_of(trace.trace_id())?,
        unreturned: 0,
    })
}

/// Kills busy workers when so many of `requests` are done that the kills are spread over them; how many were killed.
async fn kill(model: Arc<Model>, done: Arc<AtomicU64>, kills: u64, requests: u64) -> u64 {
    let mut killed = 0;
    while killed < kills && done.load(Ordering::Relaxed) < requests {
        tokio::time::sleep(Duration::from_millis(1)).await;
        let due = done.load(Ordering::Relaxed) >= requests * (killed + 1) / (kills + 1);
        killed += u64::from(due && model.kill_a_busy_worker());
    }
    killed
}

/// Clients of the HTTP server.
struct Callers {
    client: Client,
    url: String,
    uploads: Vec<Upload>,
}

impl Callers {
    /// `requests` requests, `clients` at a time, each client one after the other; `done` counts them.
    async fn crowd(
        self: &Arc<Self>,
        requests: u64,
        clients: u64,
        done: &Arc<AtomicU64>,
    ) -> Result<Phase, crate::Failure> {
        let (start, next) = (Instant::now(), Arc::new(AtomicU64::new(0)));
        let mut crowd = JoinSet::new();
        for _ in 0..clients {
            let (callers, next, done) = (Arc::clone(self), Arc::clone(&next), Arc::clone(done));
            crowd.spawn(async move {
                let mut seen = Seen::default();
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= requests {
                        return seen;
                    }
                    let start = Instant::now();
                    match callers.one(number, None).await {
                        Ok(()) => seen.latencies.push(start.elapsed()),
                        Err(error) => seen.failures.push(error.to_string()),
                    }
                    done.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let (mut latencies, mut failures) = (Histogram::<u64>::new(3)?, Vec::new());
        while let Some(seen) = crowd.join_next().await {
            let seen = seen?;
            for latency in seen.latencies {
                latencies.record(u64::try_from(latency.as_micros())?)?;
            }
            failures.extend(seen.failures);
        }
        Ok(Phase { requests, took: start.elapsed(), latencies, failures, kills: 0 })
    }

    /// One photo, and whether its label is right.
    async fn one(&self, number: u64, trace: Option<TraceContext>) -> Result<(), crate::Failure> {
        let upload = &self.uploads[number as usize % self.uploads.len()];
        let mut request = self.client.post(&self.url).body(upload.content.clone());
        if let Some(trace) = trace {
            request = request.header("traceparent", trace.to_string());
        }
        let response = request.send().await?;
        let status = response.status();
        if !status.is_success() {
            return Err(format!("{status}: {}", response.text().await?).into());
        }
        let answer: Answer = response.json().await?;
        match answer.labels.first() {
            Some(best) if best.label == upload.label => Ok(()),
            best => Err(format!("expected {}, found {best:?}", upload.label).into()),
        }
    }
}

/// What one client saw.
#[derive(Default)]
struct Seen {
    latencies: Vec<Duration>,
    failures: Vec<String>,
}
