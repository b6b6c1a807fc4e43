//! The demo from beginning to end.

use crate::checks::{self, Caller, Check, Remains, Witness};
use crate::exchange::Exchange;
use crate::leftovers::Traces;
use crate::maps::{self, Place};
use crate::options::Options;
use crate::progress::Progress;
use crate::records::{Photo, Scores};
use crate::report::{Classified, Report};
use crate::{Failure, compare, photo, preprocess, scores};
use std::io::Stdout;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant, SystemTime};
use tensorbridge::{Client, SendError};

/// Classifies the photos, shows what happened, and tells whether every check held.
///
/// # Errors
/// When something stops it before the checks can tell.
pub(crate) fn run(options: &Options) -> Result<bool, Failure> {
    // A wrong path should be known before the network is loaded.
    options.photos().iter().try_for_each(|path| photo::check(path))?;
    let run = run_name();
    let meeting = tensorbridge::meeting_directory();
    let before = Traces::now(&meeting, &run)?;
    let mut report = Report::on_stdout(options.json);

    let exchange = {
        let _progress = Progress::new("loading EfficientNet-Lite0 into PyTorch");
        Exchange::start(&format!("{run}.network"), &options.python, "efficientnet.py")?
    };
    classify_all(&exchange, options, &mut report)?;
    let during = Traces::now(&meeting, &run)?.since(&before);
    let mut unreturned = vec![exchange.end()?];

    if options.calls > 0 {
        let (ways, more) = {
            let _progress = Progress::new("measuring the same call by other ways");
            compare::measure(&format!("{run}.number"), &options.python, options.calls)?
        };
        unreturned.push(more);
        report.ways(compare::BYTES, &ways)?;
    }

    let traces = Traces::now(&meeting, &run)?.since(&before);
    report.checks(&checks::of_remains(&Remains::new(&unreturned, traces), &during))?;
    let held = !report.failed();
    report.finish()?;
    Ok(held)
}

/// A name that no other run uses, so that several can be under way.
fn run_name() -> String {
    format!("classify.p{}_{:x}", std::process::id(), nanoseconds())
}

/// Nanoseconds of the clock: a number that nobody else has at this moment.
fn nanoseconds() -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(now.as_nanos()).unwrap_or(i64::MAX)
}

fn classify_all(
    exchange: &Exchange<Scores>,
    options: &Options,
    report: &mut Report<Stdout>,
) -> Result<(), Failure> {
    let client = exchange.client()?;
    let inode = exchange.inode()?;
    let mut checks = Vec::new();
    let mut to_kill = options.kill;
    for path in options.photos() {
        let (outcome, killed) = match to_kill {
            true => {
                let _progress = Progress::new("killing the worker in the middle of the call");
                beside(
                    |over| exchange.kill_in_mid_call(over),
                    || classify(&client, inode, &path, options.top),
                )
            }
            false => (classify(&client, inode, &path, options.top), false),
        };
        // A worker that was too quick is caught with the next photo.
        to_kill &= !killed;
        let (classified, checked) = outcome?;
        report.photo(&classified)?;
        checks.push(checked);
    }
    report.checks(&checks::of_calls(&checks))?;
    if options.kill {
        report.checks(&[checks::of_kill(!to_kill, exchange.restarts())])?;
    }
    Ok(())
}

/// Does `work`, and beside it something that ends when the work is over.
fn beside<T>(aside: impl FnOnce(&AtomicBool) -> bool + Send, work: impl FnOnce() -> T) -> (T, bool) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let aside = scope.spawn(|| aside(&over));
        let result = work();
        over.store(true, Ordering::Relaxed);
        (result, aside.join().unwrap_or(false))
    })
}

/// One photo: into shared memory, through the network, and out as the most probable classes.
fn classify(
    client: &Client<Photo, Scores>,
    inode: u64,
    path: &Path,
    top: usize,
) -> Result<(Classified, Vec<Check>), Failure> {
    let start = Instant::now();
    let mut request = client.loan()?;
    let photo = photo::open(path)?;
    preprocess::write_planes(&photo, request.pixels_mut());
    let prepared = start.elapsed();

    let nonce = nanoseconds();
    request.set_nonce(nonce);
    let place = maps::place_of(request.pixels())?.filter(|place| place.inode == inode);
    let caller = Caller { place, nonce, bytes: size_of_val(request.pixels()) as u64 };
    let scores = request.call().map_err(SendError::into_error)?;

    let witness = Witness {
        place: Place { inode: scores.inode(), offset: scores.offset() },
        echo: scores.echo(),
        same_answer: scores.same_answer() != 0,
        copied: scores.copied_bytes(),
        stored: scores.stored_bytes(),
    };
    let classified = Classified {
        file: path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned(),
        width: photo.width(),
        height: photo.height(),
        prepared,
        network: Duration::try_from_secs_f64(scores.network_seconds())?,
        guesses: scores::top(scores.logits(), top),
    };
    Ok((classified, checks::of_call(&caller, &witness)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::checks::ECHO_STEP;
    use std::thread;
    use tensorbridge::{Request, Server, Service};

    const ESPRESSO: usize = 967;

    /// Stands in for the Python worker, and like it writes down what it saw.
    fn answer(mut request: Request<Photo, Scores>) {
        let (photo, scores) = request.split();
        let place = maps::place_of(photo.pixels()).unwrap().unwrap();
        let logits = scores.logits_mut();
        logits.fill(0.0);
        logits[ESPRESSO] = 20.0;
        scores.set_network_seconds(0.25);
        scores.set_copied_bytes(0);
        scores.set_stored_bytes(4000);
        scores.set_same_answer(1);
        scores.set_inode(place.inode);
        scores.set_offset(place.offset);
        scores.set_echo(photo.nonce() + ECHO_STEP);
        request.reply().unwrap();
    }

    #[test]
    fn a_photo_goes_through_shared_memory_and_every_check_holds() {
        let name = run_name();
        let service = Service::<Photo, Scores>::builder(&name).slots(2).create().unwrap();
        let client = Client::builder(&name).connect().unwrap();
        let server = Server::builder(&name).connect().unwrap();
        let worker = thread::spawn(move || answer(server.receive().unwrap()));

        let photo = crate::options::package().with_file_name("photos").join("coffee.png");
        let (classified, checks) = classify(&client, service.data_inode().unwrap(), &photo, 3).unwrap();
        worker.join().unwrap();

        assert_eq!(classified.guesses[0].class, ESPRESSO);
        assert_eq!(
            (classified.file.as_str(), classified.network),
            ("coffee.png", Duration::from_millis(250))
        );
        assert!(checks.iter().all(|check| check.held), "{checks:?}");
        assert_eq!(service.free_slots(), 2);
    }

    #[test]
    fn a_damaged_photo_gives_its_slot_back() {
        let name = run_name();
        let service = Service::<Photo, Scores>::builder(&name).slots(2).create().unwrap();
        let client = Client::builder(&name).connect().unwrap();
        let error = classify(&client, 0, Path::new("no/such/photo.jpg"), 3).unwrap_err();
        assert!(error.to_string().contains("no/such/photo.jpg"), "{error}");
        assert_eq!(service.free_slots(), 2);
    }
}
