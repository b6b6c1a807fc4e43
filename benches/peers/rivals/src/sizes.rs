//! What a call takes by the size of its request, in place (`R`) and written anew (`W`).

use crate::clock::now;
use crate::iceoryx::Iceoryx;
use crate::measure::{Calls, answer, repeat};
use crate::ours::{Number, Ours};
use crate::support::peer::{Peer, pin};
use crate::{CurveOptions, Wait, pinned, point};
use std::convert::Infallible;
use std::ops::RangeInclusive;
use tensorbridge::{Client, Record, Server, Service, Tensor, WaitStrategy};

/// A request of this size.
pub(crate) trait Request: Record {
    fn numbers(view: &mut Self::Mut) -> &mut [f32];
    fn read(view: &Self::Ref) -> &[f32];
}

macro_rules! sizes {
    ($($name:ident $count:expr, $text:literal;)*) => {
        $(
            #[derive(Tensor)]
            #[tensor(name = $text)]
            struct $name {
                numbers: [f32; $count],
            }

            impl Request for $name {
                fn numbers(view: &mut Self::Mut) -> &mut [f32] {
                    view.numbers_mut()
                }

                fn read(view: &Self::Ref) -> &[f32] {
                    view.numbers()
                }
            }
        )*

        /// Numbers of four bytes in each request.
        const COUNTS: &[usize] = &[$($count),*];

        fn ours(options: &CurveOptions) {
            $(ours_of::<$name>(options, $count);)*
        }

        /// The other process.
        pub(crate) fn serve(name: &str, count: &str) {
            let count: usize = count.parse().expect("a number");
            $(if count == $count {
                serve_of::<$name>(name);
            })*
        }
    };
}

sizes! {
    Bytes64 16, "peers.bytes64";
    Bytes4K 1 << 10, "peers.bytes4k";
    Bytes64K 16 << 10, "peers.bytes64k";
    Bytes602K 150_528, "peers.bytes602k";
    Bytes4M 1 << 20, "peers.bytes4m";
    Bytes16M 4 << 20, "peers.bytes16m";
    Bytes64M 16 << 20, "peers.bytes64m";
}

const SLOTS: usize = 2;
/// Calls of a part of a point, at least and at most.
const CALLS: RangeInclusive<usize> = 5..=200_000;
/// A point is told in as many parts: whoever reads them knows how the cores lay in each.
const PARTS: usize = 4;
/// The line that needs no other process.
const MEMCPY: &str = "memcpy";

pub(crate) fn measure(options: &CurveOptions) {
    match options.line.as_str() {
        "tensorbridge" => ours(options),
        "iceoryx2" => COUNTS.iter().for_each(|count| iceoryx(options, *count)),
        MEMCPY => COUNTS.iter().for_each(|count| memcpy(options, *count)),
        other => panic!("no line is called {other}"),
    }
}

fn tell(options: &CurveOptions, count: usize, calls: &mut impl Calls) {
    pin(pinned().then_some(0));
    let seconds = options.seconds / 10.0;
    for written in [false, true] {
        let mut call = |value| if written { calls.written(value) } else { calls.ready(value) };
        let mut turns = [1.0, 2.0].into_iter().cycle();
        let mut calls_for = |seconds| repeat(&mut turns, f64::from, seconds, CALLS, &mut call);
        calls_for(seconds / 4.0);
        let line = format!("{}, {}", options.line, if written { "W" } else { "R" });
        let bytes = 4.0 * count as f64;
        for _ in 0..PARTS {
            let began = now();
            let value = middle(calls_for(seconds / PARTS as f64));
            let ended = now();
            // Copying takes one core.
            if options.line == MEMCPY {
                point::tell(&line, bytes, value);
            } else {
                point::tell_when(&line, bytes, value, began, ended);
            }
        }
    }
}

fn middle(mut durations: Vec<u64>) -> f64 {
    durations.sort_unstable();
    durations[durations.len() / 2] as f64
}

fn ours_of<R: Request>(options: &CurveOptions, count: usize) {
    let name = format!("peers.sizes.p{}", std::process::id());
    let _service = Service::<R, Number>::builder(&name).slots(SLOTS).create().expect("memory");
    let _peer = Peer::start(&["sizes", &name, &count.to_string()], pinned());
    let client = Client::<R, Number>::builder(&name).wait(WaitStrategy::Spin).connect().expect("the host");
    tell(options, count, &mut Ours { client, numbers: R::numbers });
}

fn serve_of<R: Request>(name: &str) {
    let server = Server::<R, Number>::builder(name).wait(WaitStrategy::Spin).connect().expect("the host");
    let _ = server.serve(|request, number| {
        number.set_value(answer(R::read(request)));
        Ok::<(), Infallible>(())
    });
}

fn iceoryx(options: &CurveOptions, count: usize) {
    let (mut calls, server) = Iceoryx::start(count, Wait::Spinning, false);
    tell(options, count, &mut calls);
    calls.end(server);
}

fn memcpy(options: &CurveOptions, count: usize) {
    struct Copy {
        source: Vec<f32>,
        target: Vec<f32>,
    }
    impl Calls for Copy {
        fn ready(&mut self, value: f32) -> f64 {
            self.source[0] = value;
            self.target.copy_from_slice(std::hint::black_box(&self.source));
            f64::from(std::hint::black_box(&self.target)[0])
        }

        fn written(&mut self, value: f32) -> f64 {
            self.target.fill(value);
            f64::from(std::hint::black_box(&self.target)[0])
        }
    }
    tell(options, count, &mut Copy { source: vec![0.0; count], target: vec![0.0; count] });
}
