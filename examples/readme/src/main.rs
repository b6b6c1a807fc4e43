//! Has a photo judged by a network in PyTorch.

use std::time::Duration;
use tensorbridge::{Client, PythonWorker, Service, Tensor};

/// A photo ready for the network.
#[derive(Tensor)]
#[tensor(name = "readme.photo")]
pub struct Photo {
    /// RGB planes, normalised.
    #[tensor(shape = [3, 224, 224])]
    pixels: [f32; 3 * 224 * 224],
    /// The caller's number for this photo.
    id: u64,
}

/// What the network says about a photo.
#[derive(Tensor)]
#[tensor(name = "readme.scores")]
pub struct Scores {
    logits: [f32; 10],
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let service = Service::<Photo, Scores>::builder("readme").slots(4).create()?;
    let _worker = service.spawn(PythonWorker::new("worker.py"))?;

    let client = Client::<Photo, Scores>::builder("readme").timeout(Duration::from_secs(60)).connect()?;
    let mut photo = client.loan()?; // a slot in shared memory
    photo.pixels_mut().fill(0.5); // written where torch will read it
    photo.set_id(7);
    let scores = photo.call()?; // dropping the scores gives the slot back
    println!("{:?}", scores.logits());
    Ok(())
}
