//! What a call costs when the model costs nothing, beside two ways that Python brings along.

use crate::exchange::{Exchange, Unreturned};
use crate::options::package;
use crate::preprocess::ELEMENTS;
use crate::records::{Number, Photo};
use crate::report::Way;
use crate::timing::Timing;
use crate::{Failure, peers};
use std::path::Path;
use std::time::{Duration, Instant};
use tensorbridge::{Client, SendError};

/// Bytes that each call hands over.
pub(crate) const BYTES: usize = ELEMENTS * size_of::<f32>();

/// Calls before the measured ones.
const WARM_UP: usize = 20;

/// The longest time to spend on each of the other ways.
const LIMIT: Duration = Duration::from_secs(5);

/// Measures `calls` calls by each way, ours first. The service is called `name`.
///
/// # Errors
/// When a call fails or is answered wrongly.
pub(crate) fn measure(name: &str, python: &Path, calls: usize) -> Result<(Vec<Way>, Unreturned), Failure> {
    let exchange = Exchange::start(name, python, "first_number.py")?;
    let ours = ours(&exchange.client()?, calls)?;
    let unreturned = exchange.end()?;

    let [pipe, http] = peers::measure(python, &package().join("peers.py"), calls, LIMIT)?;
    Ok((vec![("tensorbridge", ours), pipe, http], unreturned))
}

fn ours(client: &Client<Photo, Number>, calls: usize) -> Result<Timing, Failure> {
    let mut durations = Vec::with_capacity(calls);
    for number in 0..WARM_UP + calls {
        let value = number as f32;
        let start = Instant::now();
        let mut photo = client.loan()?;
        photo.pixels_mut().fill(value);
        photo.set_nonce(0);
        let answer = photo.call().map_err(SendError::into_error)?.value();
        durations.push(start.elapsed());
        if answer != value {
            return Err(format!("sent {value}, was answered {answer}").into());
        }
    }
    Timing::of(durations.split_off(WARM_UP)).ok_or_else(|| "nothing was measured".into())
}
