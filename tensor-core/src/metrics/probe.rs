//! A stream of what is happening in an arena, for programs that record it.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::json::Object;
use super::{Metrics, Residency};
use crate::arena::{Arena, Expected};
use crate::error::Error;
use crate::memory::{OwnThread, PerProcess};
use crate::peer::{Role, attach};

/// The environment variable that names a file: every process in whose environment it is appends to that file what happens in
/// each arena it hosts or connects to, as a [`Probe`] with its default settings does.
const PROBE: &str = "TENSORBRIDGE_PROBE";

/// Configures a [`Probe`].
#[derive(Clone, Debug)]
#[must_use]
pub struct ProbeBuilder {
    name: String,
    interval: Duration,
    window: Duration,
}

/// A thread that writes what happens in an arena, as a stream of JSON lines; dropping it ends the stream, except in
/// a forked child.
///
/// Each line is one object: that of [`Metrics::to_json`] for the sliding window that ends now, with the writing process's
/// `pid`, `sent_per_second`, `answered_per_second`, and under `memory_bytes` what is resident ([`Residency`]). While nobody
/// hosts the arena nothing is written; a later host of the name begins a new window.
///
/// It takes no slot and does not disturb those who work. Asking the kernel what is resident costs about a millisecond for each
/// thousand mappings of this process.
#[must_use = "a probe ends when it is dropped"]
pub struct Probe {
    settings: ProbeBuilder,
    stop: Option<Sender<()>>,
    thread: OwnThread<std::io::Result<()>>,
}

impl Probe {
    /// A probe of the arena called `name`: ten lines a second, each of the last second, unless told otherwise.
    pub fn builder(name: &str) -> ProbeBuilder {
        ProbeBuilder {
            name: name.to_owned(),
            interval: Duration::from_millis(100),
            window: Duration::from_secs(1),
        }
    }

    /// Ends the stream.
    ///
    /// # Errors
    /// [`Error::Io`] when a line could not be written, with which the stream ended; [`Error::Forked`].
    pub fn stop(mut self) -> Result<(), Error> {
        self.end()
    }

    fn end(&mut self) -> Result<(), Error> {
        let stop = self.stop.take();
        if let Err(forked) = self.thread.check_process() {
            // The thread may have had it locked.
            std::mem::forget(stop);
            return Err(forked);
        }
        drop(stop);
        let panicked = |_| Err(std::io::Error::other("what it was to write to panicked"));
        let ended = self.thread.join().map_or(Ok(()), |ended| ended.unwrap_or_else(panicked));
        ended.map_err(|source| Error::Io { what: "writing what a probe saw", source })
    }
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ProbeBuilder { name, interval, window } = &self.settings;
        f.debug_struct("Probe")
            .field("name", name)
            .field("interval", interval)
            .field("window", window)
            .finish()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        let _ = self.end();
    }
}

impl ProbeBuilder {
    /// How long from one line to the next; at least a millisecond, a tenth of a second by default.
    pub fn interval(mut self, interval: Duration) -> Self {
        self.interval = interval.max(Duration::from_millis(1));
        self
    }

    /// How long a time each line is about; a second by default.
    pub fn window(mut self, window: Duration) -> Self {
        self.window = window;
        self
    }

    /// Appends to a file, which is made when it is missing. Each line is one write: several processes may share a file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be opened.
    pub fn append_to(self, path: impl AsRef<Path>) -> Result<Probe, Error> {
        let file = OpenOptions::new().append(true).create(true).open(path);
        let file = file.map_err(|source| Error::Io { what: "opening the file of a probe", source })?;
        self.write_to(file)
    }

    /// Writes to `out`, which ends the stream with its first error.
    ///
    /// # Errors
    /// [`Error::Io`] when the thread cannot be started.
    pub fn write_to(self, mut out: impl Write + Send + 'static) -> Result<Probe, Error> {
        let (stop, stopped) = channel();
        let settings = self.clone();
        let thread = OwnThread::start("starting a probe's thread", "tensorbridge-probe", move || {
            let mut stream = Stream { settings: self, arena: None, seen: VecDeque::new() };
            // Kept short of what a clock can hold.
            let interval = stream.settings.interval.min(Duration::from_secs(1 << 32));
            let mut next = Instant::now();
            loop {
                if let Some(line) = stream.line() {
                    out.write_all(line.as_bytes())?;
                    out.flush()?;
                }
                next = (next + interval).max(Instant::now());
                match stopped.recv_timeout(next.saturating_duration_since(Instant::now())) {
                    Err(RecvTimeoutError::Timeout) => {}
                    Ok(()) | Err(RecvTimeoutError::Disconnected) => return Ok(()),
                }
            }
        })?;
        Ok(Probe { settings, stop: Some(stop), thread })
    }
}

struct Stream {
    settings: ProbeBuilder,
    arena: Option<Arena>,
    /// What was read within the window, and once before it.
    seen: VecDeque<Metrics>,
}

impl Stream {
    /// The next line; `None` while nobody hosts the arena.
    fn line(&mut self) -> Option<String> {
        if self.arena.as_ref().is_some_and(|arena| arena.check_host().is_err()) {
            self.arena = None;
        }
        if self.arena.is_none() {
            let timeout = Some(Duration::ZERO);
            let found =
                attach(&self.settings.name, Role::Observer, &Expected::default(), timeout, &mut || Ok(()));
            self.arena = Some(found.ok()?);
            self.seen.clear();
        }
        let arena = self.arena.as_ref()?;
        let now = Metrics::read(arena);
        let begin = now.at.saturating_sub(self.settings.window);
        while self.seen.get(1).is_some_and(|second| second.at <= begin) {
            self.seen.pop_front();
        }
        let then = self.seen.front().map_or_else(|| now.since(&now), |first| now.since(first));
        self.seen.push_back(now);
        let object = then
            .members()
            .number("pid", std::process::id())
            .number("sent_per_second", format_args!("{:.3}", then.per_second(then.sent)))
            .number("answered_per_second", format_args!("{:.3}", then.per_second(then.answered)));
        let object = match Residency::read(arena) {
            Ok(seen) => object.object("memory_bytes", resident(&seen)),
            Err(_) => object,
        };
        Some(object.end() + "\n")
    }
}

fn resident(seen: &Residency) -> Object {
    Object::new()
        .number("rss", seen.rss)
        .number("pss", seen.pss)
        .number("arena_size", seen.arena_size)
        .number("arena_rss", seen.arena_rss)
        .number("arena_pss", seen.arena_pss)
}

/// Starts a probe of `name` if the environment asks for it and there is none in this process.
pub(crate) fn probe_if_asked(name: &str) {
    static PROBES: PerProcess<Mutex<HashMap<String, Probe>>> = PerProcess::new();
    let Some(path) = std::env::var_os(PROBE).filter(|path| !path.is_empty()) else { return };
    let Ok(probes) = PROBES.get(Mutex::default) else { return };
    let mut probes = probes.lock().unwrap_or_else(PoisonError::into_inner);
    if probes.contains_key(name) {
        return;
    }
    match Probe::builder(name).append_to(path) {
        Ok(probe) => drop(probes.insert(name.to_owned(), probe)),
        Err(error) => {
            tracing::warn!(target: "tensorbridge", %error, "{PROBE} names a file that cannot be written")
        }
    }
}
