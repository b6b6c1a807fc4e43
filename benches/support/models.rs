//! Networks in Python, with batching and without it.

use std::time::Duration;

use tensorbridge::{PythonWorker, Record, Service, Tensor};

use super::batching::{Features, Scores};
use super::callers::{CLIENTS, Compared, call_again};
use crate::{Image, Report, unique};

/// What an image classifier says of an image.
#[derive(Tensor)]
#[tensor(name = "bench.logits")]
struct Logits {
    scores: [f32; 1000],
}

pub(crate) fn measure(report: &mut Report, scale: usize) {
    // No shorter: with 64 clients a call of the large one takes more than a second.
    let time = Duration::from_millis((4000 / scale as u64).max(2000));
    println!("\nEfficientNet-Lite0 in PyTorch, batching on and off");
    compare::<Image, Logits>(report, "EfficientNet-Lite0", "efficientnet", 8, time, |image| {
        image.pixels_mut().fill(0.5);
    });
    println!("\na small network (256 - 1024 - 64) in PyTorch, batching on and off");
    compare::<Features, Scores>(report, "small network in PyTorch", "mlp", 32, time, |features| {
        features.inputs_mut().fill(0.5);
    });
}

/// One worker without batching, and one that takes up to `most` requests.
fn compare<Req: Record, Rep: Record>(
    report: &mut Report,
    title: &'static str,
    model: &str,
    most: usize,
    time: Duration,
    fill: impl Fn(&mut Req::Mut) + Sync,
) {
    let mut compared = Compared::new(title);
    for (on, most) in [(false, 1), (true, most)] {
        let name = unique(model);
        let service =
            Service::<Req, Rep>::builder(&name).slots(64).ring_order(true).create().expect("a fresh name");
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/models.py");
        let worker = PythonWorker::new(script)
            .arg(model)
            .arg(most.to_string())
            .env("PYTHONPATH", concat!(env!("CARGO_MANIFEST_DIR"), "/examples/imagenet"));
        let _worker = service.spawn(worker).expect("the worker starts");
        for clients in CLIENTS {
            let seen = call_again(&service, &name, clients, time, &fill);
            compared.add(report, clients, on, &seen);
        }
    }
    compared.draw(report);
}
