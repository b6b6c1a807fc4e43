//! What the machine allows: copying the request, and going to the other core and back.

use crate::support::limits::{Bare, memcpy, ping_pong};
use crate::{Options, System, measure, pinned};

pub(crate) fn measure(options: &Options) {
    let rounds = |least: f64| (options.seconds * least) as usize;
    let durations = match options.system {
        System::Memcpy => memcpy(rounds(20_000.0)),
        System::Futex => ping_pong(Bare::Futex, rounds(10_000.0), pinned()),
        _ => ping_pong(Bare::Spin, rounds(200_000.0), pinned()),
    };
    measure::tell(options, "limit", false, &durations, &measure::Used::default());
}
