//! A client: calls until it is told to end, or is killed. `client.py` does the same in Python.
//!
//! Some calls are awaited, several at once, and some are given up. It prints how many calls were answered, how many had no
//! answer because their worker died, and how many were given up. The first thing that is
//! wrong ends it, with a line that says what.

use crate::model::{Answer, Question, ask, mistake};
use crate::{Failure, stage};
use std::io::{Read, Write};
use std::rc::Rc;
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

/// Becomes true when standard input ends.
pub(crate) fn told() -> Arc<AtomicBool> {
    let told = Arc::new(AtomicBool::new(false));
    std::thread::spawn({
        let told = Arc::clone(&told);
        move || {
            let _ = std::io::stdin().read_to_end(&mut Vec::new());
            told.store(true, Ordering::Relaxed);
        }
    });
    told
}

fn call_until_told(run: &str, seed: u64) -> Result<(), Failure> {
    let told = told();
    let mut choice = fastrand::Rng::with_seed(seed);
    let mut lines = stage::SERVICES
        .map(|service| Line::connect(&stage::service_name(run, service), service == stage::MUTATING))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    let (mut counts, mut reported) = ([0u64; 3], Instant::now());
    while !told.load(Ordering::Relaxed) {
        let line = choice.usize(..lines.len());
        let ends = match choice.u8(..8) {
            0 => lines[line].await_several(&runtime, &mut choice)?,
            _ => vec![lines[line].call(&mut choice)?],
        };
        ends.into_iter().for_each(|end| counts[end as usize] += 1);
        if reported.elapsed() >= REPORT {
            report(counts);
            reported = Instant::now();
        }
    }
    lines.into_iter().try_for_each(Line::end)?;
    report(counts);
    std::io::stdout().flush()?;
    Ok(())
}

fn report([answered, died, given_up]: [u64; 3]) {
    println!("{answered} {died} {given_up}");
}

/// How a call ended, and where it is counted.
#[derive(Clone, Copy)]
enum End {
    Answered = 0,
    Died = 1,
    GivenUp = 2,
}

/// How long a caller waits.
#[derive(Clone, Copy)]
enum Wish {
    /// For the answer.
    Answer,
    /// Until a deadline, which the worker knows of.
    Deadline(Duration),
    /// Until it drops the call.
    Cancels(Duration),
}

impl Wish {
    fn new(choice: &mut fastrand::Rng) -> Wish {
        let moment = Duration::from_micros(choice.u64(..20_000));
        match choice.u8(..20) {
            0 => Wish::Deadline(moment),
            1 => Wish::Cancels(moment),
            _ => Wish::Answer,
        }
    }
}

/// An answer and the id of its question.
type Kept = (u64, Received<Answer>);

/// A line to one of the services.
struct Line {
    client: Rc<Client<Question, Answer>>,
    /// Whether a call may have no answer because its worker died.
    may_die: bool,
    /// An answer that is read again later, when much else has happened.
    kept: Option<Kept>,
}

impl Line {
    fn connect(name: &str, may_die: bool) -> Result<Line, Error> {
        let client = Client::builder(name).timeout(PATIENCE).connect()?;
        Ok(Line { client: Rc::new(client), may_die, kept: None })
    }

    fn call(&mut self, choice: &mut fastrand::Rng) -> Result<End, Failure> {
        if choice.u8(..) < 20 {
            // One that comes to nothing.
            drop(self.client.loan()?);
        }
        let id = choice.u64(..);
        let mut question = self.client.loan()?;
        ask(&mut question, id);
        let wish = Wish::new(choice);
        let answer = match wish {
            Wish::Answer => question.call(),
            // A thread that waits gives up at its deadline and no sooner.
            Wish::Deadline(moment) | Wish::Cancels(moment) => question.call_timeout(moment),
        };
        let (end, answer) = ended(answer.map_err(SendError::into_error), id, wish, self.may_die)?;
        self.keep(answer, choice)?;
        Ok(end)
    }

    /// Several calls at once, awaited in this thread.
    fn await_several(
        &mut self,
        runtime: &tokio::runtime::Runtime,
        choice: &mut fastrand::Rng,
    ) -> Result<Vec<End>, Failure> {
        let mut calls = tokio::task::JoinSet::new();
        let local = tokio::task::LocalSet::new();
        for _ in 0..choice.usize(2..7) {
            let (client, id, wish) = (Rc::clone(&self.client), choice.u64(..), Wish::new(choice));
            let may_die = self.may_die;
            calls.spawn_local_on(
                async move {
                    let answer = match wish {
                        Wish::Cancels(moment) => {
                            match tokio::time::timeout(moment, await_one(&client, id, wish)).await {
                                Ok(answer) => answer,
                                Err(_) => return Ok((End::GivenUp, None)),
                            }
                        }
                        _ => await_one(&client, id, wish).await,
                    };
                    ended(answer, id, wish, may_die).map_err(|failure| failure.to_string())
                },
                &local,
            );
        }
        let outcomes = local.block_on(runtime, calls.join_all());
        let mut ends = Vec::new();
        for outcome in outcomes {
            let (end, answer) = outcome?;
            ends.push(end);
            self.keep(answer, choice)?;
        }
        Ok(ends)
    }

    fn keep(&mut self, answer: Option<Kept>, choice: &mut fastrand::Rng) -> Result<(), Failure> {
        if answer.is_some() && choice.u8(..) < 50 {
            self.let_go()?;
            self.kept = answer;
        }
        Ok(())
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

async fn await_one(
    client: &Client<Question, Answer>,
    id: u64,
    wish: Wish,
) -> Result<Received<Answer>, Error> {
    let mut question = client.loan_async().await?;
    ask(&mut question, id);
    let answer = match wish {
        Wish::Deadline(moment) => question.call_async_timeout(moment).await,
        Wish::Answer | Wish::Cancels(_) => question.call_async().await,
    };
    answer.map_err(SendError::into_error)
}

/// How a call ended, and its answer with its id, which was looked at.
fn ended(
    answer: Result<Received<Answer>, Error>,
    id: u64,
    wish: Wish,
    may_die: bool,
) -> Result<(End, Option<Kept>), Failure> {
    match answer {
        Ok(answer) => match mistake(&answer, id) {
            Some(mistake) => Err(mistake.into()),
            None => Ok((End::Answered, Some((id, answer)))),
        },
        Err(Error::WorkerDied { attempts: 1, .. }) if may_die => Ok((End::Died, None)),
        Err(Error::Timeout { .. }) if !matches!(wish, Wish::Answer) => Ok((End::GivenUp, None)),
        Err(error) => Err(error.into()),
    }
}
