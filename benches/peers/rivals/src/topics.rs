//! iceoryx2 again, polling: two topics, one there and one back, as its own benchmarks measure it. A topic does less for each message
//! than a call with its response does.

use crate::Options;
use crate::iceoryx::{Answering, node};
use crate::measure::{self, COUNT, Calls, answer};
use iceoryx2::port::publisher::Publisher;
use iceoryx2::port::subscriber::Subscriber;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::publish_subscribe::PortFactory;

type Asking = PortFactory<ipc::Service, [f32], ()>;
type Answers = PortFactory<ipc::Service, f64, ()>;

/// The topic of the requests and that of the answers, whoever comes first.
fn open(node: &Node<ipc::Service>, name: &str) -> (Asking, Answers) {
    let named = |side: &str| format!("{name}/{side}").as_str().try_into().expect("a name");
    let asked = node.service_builder(&named("asked")).publish_subscribe::<[f32]>().open_or_create();
    let answered = node.service_builder(&named("answered")).publish_subscribe::<f64>().open_or_create();
    (asked.expect("a service"), answered.expect("a service"))
}

/// Calls with requests of a whole image.
struct Topics {
    asked: Publisher<ipc::Service, [f32], ()>,
    answered: Subscriber<ipc::Service, f64, ()>,
    /// Samples that were seen before.
    known: Vec<*const f32>,
}

impl Topics {
    fn call(&mut self, fill: impl FnOnce(&mut [f32])) -> f64 {
        self.send(fill);
        loop {
            if let Some(answer) = self.answered.receive().expect("an answer") {
                return *answer;
            }
        }
    }

    fn send(&mut self, fill: impl FnOnce(&mut [f32])) {
        let mut loan = self.asked.loan_slice_uninit(COUNT).expect("a sample");
        let payload = loan.payload_mut();
        // SAFETY: samples lie in shared memory, which begins as zeroes; every bit pattern is a number.
        let pixels = unsafe { std::slice::from_raw_parts_mut(payload.as_mut_ptr().cast::<f32>(), COUNT) };
        if !self.known.contains(&pixels.as_ptr()) {
            // A request that lies ready has ones behind its first number.
            pixels.fill(1.0);
            self.known.push(pixels.as_ptr());
        }
        fill(pixels);
        // SAFETY: as above: every bit pattern is a number.
        unsafe { loan.assume_init() }.send().expect("a server");
    }
}

impl Calls for Topics {
    fn ready(&mut self, value: f32) -> f64 {
        self.call(|pixels| pixels[0] = value)
    }

    fn written(&mut self, value: f32) -> f64 {
        self.call(|pixels| pixels.fill(value))
    }
}

/// The other process.
pub(crate) fn serve(name: &str) {
    let node = node();
    let (asked, answered) = open(&node, name);
    let asked = asked.subscriber_builder().create().expect("a subscriber");
    let answered = answered.publisher_builder().create().expect("a publisher");
    println!("ready");
    loop {
        let Some(request) = asked.receive().expect("a request") else { continue };
        if request[0] == 0.0 {
            return;
        }
        answered.send_copy(answer(&request)).expect("the client is there");
    }
}

pub(crate) fn measure(options: &Options, python: bool) {
    let name = format!("peers/topics/{}", std::process::id());
    let node = node();
    let (asked, answered) = open(&node, &name);
    let asked = asked.publisher_builder().initial_max_slice_len(COUNT).create().expect("a publisher");
    let answered = answered.subscriber_builder().create().expect("a subscriber");
    let server = if python {
        Answering::python(&["iceoryx_topics", &name])
    } else {
        Answering::peer(&["topics", &name])
    };
    let mut topics = Topics { asked, answered, known: Vec::new() };
    measure::cases(options, &mut topics);
    topics.send(|pixels| pixels[0] = 0.0);
    server.end();
}
