//! A worker in Rust: answers runs of requests until it is told to end, or is killed. `worker.py` does the same in Python.

use crate::model::{Answer, Question, answer};
use crate::{Failure, client, stage};
use std::sync::atomic::Ordering;
use std::time::Duration;
use tensorbridge::{Batching, Error, Server};

/// How long it waits for a request before it looks whether it is to end.
const LOOK: Duration = Duration::from_millis(20);

pub(crate) fn run(run: &str, seed: u64) -> Result<(), Failure> {
    let told = client::told();
    let mut choice = fastrand::Rng::with_seed(seed);
    let name = stage::service_name(run, stage::BATCHING);
    let server = Server::<Question, Answer>::builder(&name).connect()?;
    let batching = Batching::up_to(stage::MAX_BATCH).max_wait(stage::MAX_WAIT);
    // What says that it has begun.
    println!("0 0 0");
    while !told.load(Ordering::Relaxed) {
        let mut run = match server.receive_many_timeout(batching, LOOK) {
            Ok(run) => run,
            Err(Error::Timeout { .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        if choice.u8(..) < 25 {
            // Now and then it takes long enough to be killed in the middle.
            std::thread::sleep(LOOK);
        }
        let (questions, replies) = run.split();
        for row in 0..questions.len() {
            answer(&questions[row], &mut replies.row_mut(row));
        }
        run.reply()?;
    }
    Ok(())
}
