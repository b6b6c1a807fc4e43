//! What the machine allows: copying the request, and going to the other core and back.

use crate::measure::{self, COUNT};
use crate::support::limits::{Bare, PingPong};
use crate::support::peer::pin;
use crate::{Options, System, pinned};
use std::hint::black_box;

pub(crate) fn measure(options: &Options) {
    pin(pinned().then_some(0));
    match options.system {
        System::Memcpy => {
            let (source, mut target) = (vec![1f32; COUNT], vec![0f32; COUNT]);
            case(options, || {
                target.copy_from_slice(black_box(&source));
                black_box(&target);
            });
        }
        System::Futex => bare(options, Bare::Futex),
        System::Socket => bare(options, Bare::Socket),
        _ => bare(options, Bare::Spin),
    }
}

fn bare(options: &Options, bare: Bare) {
    let mut pair = PingPong::start(bare, pinned());
    case(options, || pair.round());
}

fn case(options: &Options, mut step: impl FnMut()) {
    let timed = measure::timed(&[1.0], f64::from, options.seconds, &mut |value| {
        step();
        f64::from(value)
    });
    measure::tell(options, "limit", false, &timed);
}
