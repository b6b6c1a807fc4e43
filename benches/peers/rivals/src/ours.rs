//! tensorbridge, with a client in Rust.

use crate::measure::{self, Calls, answer};
use crate::support::peer::Peer;
use crate::{Options, Wait, pinned};
use std::convert::Infallible;
use std::time::Duration;
use tensorbridge::{Client, PythonWorker, Record, Server, Service, Tensor, WaitStrategy};

/// 602,112 bytes.
#[derive(Tensor)]
#[tensor(name = "peers.image")]
struct Image {
    pixels: [[[f32; 224]; 224]; 3],
}

/// The answer.
#[derive(Tensor)]
#[tensor(name = "peers.number")]
pub(crate) struct Number {
    value: f64,
}

const SLOTS: usize = 8;

/// Calls with requests of `R`, whose numbers are what `numbers` says.
pub(crate) struct Ours<R: Record> {
    pub(crate) client: Client<R, Number>,
    pub(crate) numbers: fn(&mut R::Mut) -> &mut [f32],
}

impl<R: Record> Calls for Ours<R> {
    fn ready(&mut self, value: f32) -> f64 {
        let mut request = self.client.loan().expect("a free slot");
        (self.numbers)(&mut request)[0] = value;
        request.call().expect("an answer").value()
    }

    fn written(&mut self, value: f32) -> f64 {
        let mut request = self.client.loan().expect("a free slot");
        (self.numbers)(&mut request).fill(value);
        request.call().expect("an answer").value()
    }
}

fn strategy(wait: Wait) -> WaitStrategy {
    match wait {
        Wait::Spinning => WaitStrategy::Spin,
        Wait::Blocking => WaitStrategy::Block,
        Wait::Adaptive => WaitStrategy::default(),
    }
}

/// The other process.
pub(crate) fn serve(name: &str, wait: &str) {
    let wait = <Wait as clap::ValueEnum>::from_str(wait, false).expect("a way to wait");
    let server =
        Server::<Image, Number>::builder(name).wait(strategy(wait)).connect().expect("the host is there");
    let _ = server.serve(|image, number| {
        number.set_value(answer(image.pixels()));
        Ok::<(), Infallible>(())
    });
}

pub(crate) fn measure(options: &Options, python: bool) {
    let name = format!("peers.p{}", std::process::id());
    let service = Service::<Image, Number>::builder(&name).slots(SLOTS).create().expect("a fresh name");
    let (mut rust, mut worker) = (None, None);
    if python {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../python/server.py");
        let wait = match options.wait {
            Wait::Spinning => "spin",
            Wait::Blocking => "block",
            Wait::Adaptive => "adaptive",
        };
        let started = service.spawn(PythonWorker::new(script).arg("ours").arg(wait));
        worker = Some(started.expect("the worker starts"));
    } else {
        rust = Some(Peer::start(&["ours", &name, options.wait.name()], pinned()));
    }
    let client = Client::<Image, Number>::builder(&name)
        .wait(strategy(options.wait))
        .timeout(Duration::from_secs(30))
        .connect()
        .expect("the host is there");
    let mut all: Vec<_> = (0..SLOTS).map(|_| client.loan().expect("a free slot")).collect();
    all.iter_mut().for_each(|image| image.pixels_mut().fill(1.0));
    drop(all);
    measure::cases(
        options,
        &mut Ours { client, numbers: |image: &mut <Image as Record>::Mut| image.pixels_mut() },
    );
    drop((rust, worker));
}
