//! A client: calls until it is told to end, or is killed. `client.py` does the same in Python.
//!
//! It prints how many calls were answered and how many had no answer because their worker died. The first thing that is
//! wrong ends it, with a line that says what.

use crate::model::{Answer, Question, ask, mistake};
use crate::{Failure, stage};
use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use tensorbridge::{Client, Error, Received, SendError};

/// How often it prints its counts.
const REPORT: Duration = Duration::from_millis(50);

/// How long a call may take: much longer than anything that is done to its workers.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn run(run: &str, seed: u64) -> Result<(), Failure> {
    let outcome = call_until_told(run, seed);
    if let Err(error) = &outcome {
        println!("wrong {}", error.to_string().replace('\n', " "));
    }
    outcome
}

fn call_until_told(run: &str, seed: u64) -> Result<(), Failure> {
    let told = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let told = Arc::clone(&told);
        move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            told.store(true, Ordering::Relaxed);
        }
    });
    let mut choice = fastrand::Rng::with_seed(seed);
    let mut lines = stage::SERVICES
        .map(|service| Line::connect(&stage::service_name(run, service), service == stage::MUTATING))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let (mut answered, mut died, mut reported) = (0u64, 0u64, Instant::now());
    while !told.load(Ordering::Relaxed) {
        let line = choice.usize(..lines.len());
        match lines[line].call(&mut choice)? {
            true => answered += 1,
            false => died += 1,
        }
        if reported.elapsed() >= REPORT {
            println!("{answered} {died}");
            reported = Instant::now();
        }
    }
    lines.into_iter().try_for_each(Line::end)?;
    println!("{answered} {died}");
    std::io::stdout().flush()?;
    Ok(())
}

/// A line to one of the services.
struct Line {
    client: Client<Question, Answer>,
    /// Whether a call may have no answer because its worker died.
    may_die: bool,
    /// An answer that is read again later, when much else has happened.
    kept: Option<(u64, Received<Answer>)>,
}

impl Line {
    fn connect(name: &str, may_die: bool) -> Result<Line, Error> {
        Ok(Line { client: Client::builder(name).timeout(PATIENCE).connect()?, may_die, kept: None })
    }

    /// Whether the call was answered.
    fn call(&mut self, choice: &mut fastrand::Rng) -> Result<bool, Failure> {
        if choice.u8(..) < 20 {
            // One that comes to nothing.
            drop(self.client.loan()?);
        }
        let id = choice.u64(..);
        let mut question = self.client.loan()?;
        ask(&mut question, id);
        match question.call().map_err(SendError::into_error) {
            Ok(answer) => {
                if let Some(mistake) = mistake(&answer, id) {
                    return Err(mistake.into());
                }
                if choice.u8(..) < 50 {
                    self.let_go()?;
                    self.kept = Some((id, answer));
                }
                Ok(true)
            }
            Err(Error::WorkerDied { attempts: 1, .. }) if self.may_die => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the answer that was kept once more: nobody may have touched it.
    fn let_go(&mut self) -> Result<(), Failure> {
        match self.kept.take().and_then(|(id, answer)| mistake(&answer, id)) {
            Some(mistake) => Err(format!("of an answer that was kept: {mistake}").into()),
            None => Ok(()),
        }
    }

    fn end(mut self) -> Result<(), Failure> {
        self.let_go()
    }
}
