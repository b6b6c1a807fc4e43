//! A run from beginning to end.

use crate::harm::{Done, Harm};
use crate::leftovers::{Open, children};
use crate::model::{Answer, Question};
use crate::players::{Ledger, Player, Role, Said};
use crate::{Failure, package};
use std::path::Path;
use std::sync::PoisonError;
use std::thread::sleep;
use std::time::{Duration, Instant};
use tensorbridge::{Error, PythonWorker, Recoveries, Restarts, Service, Worker, WorkerState};

/// Its requests may be handed to another worker.
const REPEATABLE: &str = "repeatable";

/// Its workers scribble on their requests, and some die then.
pub(crate) const MUTATING: &str = "mutating";

/// Its workers, of which one is a player, take runs of requests.
pub(crate) const BATCHING: &str = "batching";

pub(crate) const SERVICES: [&str; 3] = [REPEATABLE, MUTATING, BATCHING];

/// Two with hints, and one that is too small for them.
const SLOTS: [usize; 3] = [24, 12, 20];

/// Worker processes of each service that it supervises.
const WORKERS: [usize; 3] = [2, 2, 1];

/// The most requests of a run, and how long the first of them waits for others; `worker.py` says the same.
pub(crate) const MAX_BATCH: usize = 4;
pub(crate) const MAX_WAIT: Duration = Duration::from_millis(2);

const PLAYERS: [Role; 5] =
    [Role::RustClient, Role::RustClient, Role::PythonClient, Role::PythonClient, Role::RustWorker];

/// How often the stage is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How long the end of something may take.
const PATIENCE: Duration = Duration::from_secs(90);

/// What one of the services is called in this run.
pub(crate) fn service_name(run: &str, service: &str) -> String {
    format!("{run}.{service}")
}

/// Runs for so many seconds; whether nothing was wrong.
///
/// # Errors
/// When something other than the calls goes wrong.
pub(crate) fn run(seconds: u64, seed: u64, python: &Path) -> Result<bool, Failure> {
    let run = format!("chaos.p{}", std::process::id());
    println!("chaos of {seconds} s with --seed {seed}");
    let before = Open::now()?;
    let mut stage = Stage::set(&run, seed, python)?;
    stage.act(Duration::from_secs(seconds))?;
    let mut verdict = stage.end()?;
    // Threads of this process may be on their way out.
    until(|| Ok(Open::now()? == before))?;
    let after = Open::now()?;
    verdict.descriptors = after.descriptors.saturating_sub(before.descriptors);
    verdict.bytes = after.bytes.saturating_sub(before.bytes);
    verdict.processes = children()?;
    verdict.print();
    Ok(verdict.is_good())
}

/// Waits for something, but not for ever: whoever asks looks again.
fn until(condition: impl Fn() -> Result<bool, Failure>) -> Result<(), Failure> {
    let start = Instant::now();
    while !condition()? && start.elapsed() < PATIENCE {
        sleep(LOOK);
    }
    Ok(())
}

struct Stage<'a> {
    run: String,
    python: &'a Path,
    choice: fastrand::Rng,
    services: Vec<Service<Question, Answer>>,
    /// Descriptors of this process while nobody is attached.
    alone: usize,
    workers: Vec<Worker>,
    players: Vec<Player>,
    ledger: Ledger,
    harm: Harm,
}

impl Stage<'_> {
    fn set<'a>(run: &str, seed: u64, python: &'a Path) -> Result<Stage<'a>, Failure> {
        let services = SERVICES
            .iter()
            .zip(SLOTS)
            .map(|(service, slots)| {
                Service::builder(&service_name(run, service))
                    .slots(slots)
                    .mutates_request(*service == MUTATING)
                    .ring_order(*service == BATCHING)
                    // Here workers die through no fault of a request.
                    .max_attempts(u32::MAX)
                    .create()
            })
            .collect::<Result<Vec<Service<Question, Answer>>, Error>>()?;
        let alone = Open::now()?.descriptors;
        let worker = |service: &str| {
            PythonWorker::new(package().join("worker.py"))
                .python(python)
                .arg(service)
                .restarts(Restarts::always().delay(Duration::from_millis(5), Duration::from_millis(50)))
        };
        let mut workers = Vec::new();
        for ((name, service), count) in SERVICES.iter().zip(&services).zip(WORKERS) {
            for _ in 0..count {
                workers.push(service.spawn(worker(name))?);
            }
        }
        let mut stage = Stage {
            run: run.to_owned(),
            python,
            choice: fastrand::Rng::with_seed(seed),
            services,
            alone,
            workers,
            players: Vec::new(),
            ledger: Ledger::default(),
            harm: Harm::new(!seed),
        };
        for role in PLAYERS {
            stage.enter(role)?;
        }
        Ok(stage)
    }

    fn enter(&mut self, role: Role) -> Result<(), Failure> {
        let seed = self.choice.u64(..);
        self.players.push(Player::start(role, self.python, &self.run, seed, &self.ledger)?);
        Ok(())
    }

    fn said(&self) -> Said {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn act(&mut self, time: Duration) -> Result<(), Failure> {
        let start = Instant::now();
        let mut shown = 0;
        while start.elapsed() < time && self.said().wrong.is_empty() {
            let victims = self.victims();
            self.harm.turn(&victims)?;
            self.replace()?;
            if start.elapsed().as_secs() > shown {
                shown = start.elapsed().as_secs();
                self.show(shown);
            }
            sleep(LOOK);
        }
        Ok(())
    }

    /// Those in the middle of their calls, and now and then one that is about to begin: if all were, nobody would get anywhere.
    fn victims(&mut self) -> Vec<u32> {
        let any = self.choice.u8(..16) == 0;
        let players = self.players.iter().filter(|player| any || player.plays()).map(Player::id);
        let workers = self.workers.iter().map(Worker::health);
        let workers = workers.filter(|health| match health.state {
            WorkerState::Ready => true,
            WorkerState::Starting => any,
            _ => false,
        });
        players.chain(workers.filter_map(|health| health.pid)).collect()
    }

    /// Starts those again who were killed. Nobody may end otherwise.
    fn replace(&mut self) -> Result<(), Failure> {
        for index in (0..self.players.len()).rev() {
            let Some(status) = self.players[index].try_wait()? else { continue };
            let mut gone = self.players.swap_remove(index);
            gone.hear_out();
            if !self.harm.has_killed(gone.id()) {
                note(&self.ledger, format!("a {:?} ended by itself: {status}", gone.role()));
            }
            self.enter(gone.role())?;
        }
        Ok(())
    }

    fn recoveries(&self) -> Recoveries {
        let mut all = Recoveries::default();
        for each in self.services.iter().map(Service::recoveries) {
            all.deaths += each.deaths;
            all.redelivered += each.redelivered;
            all.given_up += each.given_up;
        }
        all
    }

    fn show(&self, second: u64) {
        let (said, done, recoveries) = (self.said(), self.harm.done, self.recoveries());
        println!(
            "{second:4} s: {} calls, {} kills, {} stops, {} redelivered, {} WorkerDied",
            said.answered, done.kills, done.stops, recoveries.redelivered, said.died
        );
    }

    /// Lets everybody finish, and looks at what is left.
    fn end(mut self) -> Result<Verdict, Failure> {
        self.harm.end();
        self.players.iter_mut().for_each(Player::tell);
        let start = Instant::now();
        for player in &mut self.players {
            let status = loop {
                match player.try_wait()? {
                    None if start.elapsed() < PATIENCE => sleep(LOOK),
                    status => break status,
                }
            };
            if status.is_some() {
                player.hear_out();
            }
            let fine = status.is_some_and(|status| status.success());
            if !fine && !self.harm.has_killed(player.id()) {
                note(&self.ledger, format!("a {:?} did not end well: {status:?}", player.role()));
            }
        }
        self.players.clear();
        self.workers.iter().for_each(Worker::ask_to_stop);
        for worker in self.workers.drain(..) {
            if let Err(error) = worker.stop() {
                note(&self.ledger, error.to_string());
            }
        }
        let free = |services: &[Service<Question, Answer>]| -> usize {
            services.iter().map(Service::free_slots).sum()
        };
        let all: usize = SLOTS.iter().sum();
        until(|| Ok(free(&self.services) == all && Open::now()?.descriptors == self.alone))?;
        Ok(Verdict {
            slots: all - free(&self.services),
            host_descriptors: Open::now()?.descriptors.saturating_sub(self.alone),
            done: self.harm.done,
            recoveries: self.recoveries(),
            said: self.said(),
            ..Verdict::default()
        })
    }
}

fn note(ledger: &Ledger, wrong: String) {
    ledger.lock().unwrap_or_else(PoisonError::into_inner).wrong.push(wrong);
}

/// What a run came to.
#[derive(Debug, Default)]
struct Verdict {
    said: Said,
    done: Done,
    recoveries: Recoveries,
    /// Slots that did not come back.
    slots: usize,
    /// Descriptors of the host that belonged to the dead.
    host_descriptors: usize,
    /// Descriptors, bytes of arenas and children of this process that are left after the services.
    descriptors: usize,
    bytes: u64,
    processes: usize,
}

impl Verdict {
    fn is_good(&self) -> bool {
        let left = self.slots + self.host_descriptors + self.descriptors + self.processes;
        let harmed = self.said.answered > 0 && self.done.kills > 0 && self.done.stops > 0;
        self.said.wrong.is_empty() && left == 0 && self.bytes == 0 && harmed
    }

    fn print(&self) {
        let Said { answered, died, given_up: cancelled, wrong } = &self.said;
        let Recoveries { deaths, redelivered, given_up, .. } = self.recoveries;
        for line in wrong {
            println!("WRONG: {line}");
        }
        println!(
            "{answered} calls answered and checked, {cancelled} given up by their callers, {} kills, {} stops",
            self.done.kills, self.done.stops
        );
        println!("{deaths} deaths of participants, {redelivered} requests handed out again");
        println!("{died} calls without an answer (WorkerDied) of {given_up} that were not repeatable");
        println!("{} accepted calls lost or answered wrongly", wrong.len());
        let descriptors = self.host_descriptors + self.descriptors;
        println!(
            "left behind: {} slots, {descriptors} descriptors, {} bytes, {} processes",
            self.slots, self.bytes, self.processes
        );
    }
}
