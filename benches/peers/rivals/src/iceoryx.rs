//! iceoryx2, request and response: polling, or an event for each message.

use crate::measure::{self, COUNT, Calls, answer};
use crate::{Options, Wait, pinned};
use iceoryx2::port::client::Client;
use iceoryx2::port::listener::Listener;
use iceoryx2::port::notifier::Notifier;
use iceoryx2::port::server::Server;
use iceoryx2::prelude::*;
use iceoryx2::service::port_factory::request_response::PortFactory;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(1);

/// What wakes a side that sleeps, and what the other side is woken with.
struct Bell {
    mine: Listener<ipc::Service>,
    theirs: Notifier<ipc::Service>,
}

impl Bell {
    fn new(node: &Node<ipc::Service>, name: &str, mine: &str, theirs: &str) -> Bell {
        let events = |side: &str| {
            let name = format!("{name}/{side}");
            let name = name.as_str().try_into().expect("a name");
            node.service_builder(&name).event().open_or_create().expect("an event service")
        };
        Bell {
            mine: events(mine).listener_builder().create().expect("a listener"),
            theirs: events(theirs).notifier_builder().create().expect("a notifier"),
        }
    }
}

fn ring(bell: Option<&Bell>) {
    if let Some(bell) = bell {
        bell.theirs.notify().expect("the other side listens");
    }
}

fn listen(bell: Option<&Bell>) {
    if let Some(bell) = bell {
        bell.mine.timed_wait(|_| {}, PATIENCE).expect("no interruption");
    }
}

/// Calls with requests of `count` numbers.
pub(crate) struct Iceoryx {
    port: Client<ipc::Service, [f32], (), f64, ()>,
    count: usize,
    bell: Option<Bell>,
    /// Samples that were seen before.
    known: Vec<*const f32>,
}

impl Iceoryx {
    fn call(&mut self, fill: impl FnOnce(&mut [f32])) -> f64 {
        let mut loan = self.port.loan_slice_uninit(self.count).expect("a sample");
        let payload = loan.payload_mut();
        // SAFETY: samples lie in shared memory, which begins as zeroes; every bit pattern is a number.
        let pixels =
            unsafe { std::slice::from_raw_parts_mut(payload.as_mut_ptr().cast::<f32>(), self.count) };
        if !self.known.contains(&pixels.as_ptr()) {
            // A request that lies ready has ones behind its first number.
            pixels.fill(1.0);
            self.known.push(pixels.as_ptr());
        }
        fill(pixels);
        // SAFETY: as above: every bit pattern is a number.
        let pending = unsafe { loan.assume_init() }.send().expect("a server");
        ring(self.bell.as_ref());
        loop {
            if let Some(response) = pending.receive().expect("a response") {
                return *response;
            }
            listen(self.bell.as_ref());
        }
    }
}

impl Calls for Iceoryx {
    fn ready(&mut self, value: f32) -> f64 {
        self.call(|pixels| pixels[0] = value)
    }

    fn written(&mut self, value: f32) -> f64 {
        self.call(|pixels| pixels.fill(value))
    }
}

/// The service, whoever comes first.
fn open(node: &Node<ipc::Service>, name: &str) -> PortFactory<ipc::Service, [f32], (), f64, ()> {
    let name = name.try_into().expect("a name");
    node.service_builder(&name).request_response::<[f32], f64>().open_or_create().expect("a service")
}

pub(crate) fn node() -> Node<ipc::Service> {
    set_log_level(LogLevel::Error);
    NodeBuilder::new().create::<ipc::Service>().expect("a node")
}

/// The other process.
pub(crate) fn serve(name: &str, wait: &str) {
    let node = node();
    let port: Server<ipc::Service, [f32], (), f64, ()> =
        open(&node, name).server_builder().create().expect("a server");
    let bell = (wait == Wait::Blocking.name()).then(|| Bell::new(&node, name, "server", "client"));
    println!("ready");
    loop {
        let Some(request) = port.receive().expect("a request") else {
            listen(bell.as_ref());
            continue;
        };
        if request[0] == 0.0 {
            return;
        }
        request.send_copy(answer(&request)).expect("the client is there");
        ring(bell.as_ref());
    }
}

/// Waits until the process that started this one says so, or is gone.
pub(crate) fn wait_to_go() {
    let _ = std::io::stdin().read_line(&mut String::new());
}

/// The process that answers; killed when this one fails, for a server that polls never ends by itself.
pub(crate) struct Answering {
    child: Child,
}

impl Answering {
    /// Lets it go on past [`wait_to_go`].
    pub(crate) fn go(&mut self) {
        drop(self.child.stdin.take());
    }

    /// Waits for its end, which the last request asked for: a killed process would leave its files.
    pub(crate) fn end(mut self) {
        let _ = self.child.wait();
    }
}

impl Drop for Answering {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Answering {
    /// This program again, which says that it is ready.
    pub(crate) fn peer(arguments: &[&str]) -> Answering {
        let mut command = Command::new(std::env::current_exe().expect("this program has a path"));
        command.args(["--peer", if pinned() { "1" } else { "free" }]).args(arguments);
        Answering::start(command)
    }

    /// A server in Python.
    pub(crate) fn python(arguments: &[&str]) -> Answering {
        let mut command = Command::new(std::env::var_os("TENSORBRIDGE_PYTHON").expect("an interpreter"));
        command.arg(concat!(env!("CARGO_MANIFEST_DIR"), "/../python/server.py"));
        command.args(arguments);
        Answering::start(command)
    }

    fn start(mut command: Command) -> Answering {
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the server starts");
        let mut line = String::new();
        let told = child.stdout.take().expect("piped");
        BufReader::new(told).read_line(&mut line).expect("it says that it is ready");
        Answering { child }
    }
}

impl Iceoryx {
    /// A client, and the process that answers it.
    pub(crate) fn start(count: usize, wait: Wait, python: bool) -> (Iceoryx, Answering) {
        let name = format!("peers/{count}/{}", std::process::id());
        let node = node();
        let service = open(&node, &name);
        let port = service.client_builder().initial_max_slice_len(count).create().expect("a client");
        // The listener of this side exists before the server rings it.
        let bell = (wait == Wait::Blocking).then(|| Bell::new(&node, &name, "client", "server"));
        let server = if python {
            Answering::python(&["iceoryx", &name, wait.name()])
        } else {
            Answering::peer(&["iceoryx", &name, wait.name()])
        };
        (Iceoryx { port, count, bell, known: Vec::new() }, server)
    }

    /// Asks the other process to end, and waits for it.
    pub(crate) fn end(self, server: Answering) {
        let mut last = self.port.loan_slice_uninit(self.count).expect("a sample");
        last.payload_mut()[0].write(0.0);
        // SAFETY: every bit pattern is a number.
        drop(unsafe { last.assume_init() }.send());
        ring(self.bell.as_ref());
        server.end();
    }
}

pub(crate) fn measure(options: &Options, python: bool) {
    let (mut calls, server) = Iceoryx::start(COUNT, options.wait, python);
    measure::cases(options, &mut calls);
    calls.end(server);
}
