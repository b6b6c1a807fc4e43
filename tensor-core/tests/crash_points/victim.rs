//! The process that is killed: what it does, and how it is watched.

use std::io::{BufRead, BufReader, Lines, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use tensor_core::crash;
use tensor_core::dynamic::{Batching, Copied, DynClient, DynReceiver, DynSender, DynServer, Gather};
use tensor_core::{Error, RemoteError};

use crate::world::{
    PATIENCE, answer_to, await_it, await_wake, call, channel, client, fill, garble, get, nothing, options,
    poll_once, put, receiver, sender, server, service, wait_until,
};

const PART: &str = "TENSORBRIDGE_TEST_CRASH_PART";
const NAME: &str = "TENSORBRIDGE_TEST_CRASH_NAME";
const AT: &str = "TENSORBRIDGE_TEST_CRASH_AT";
const SLOTS: &str = "TENSORBRIDGE_TEST_CRASH_SLOTS";

/// A copy of this program that plays a part. Killed and reaped when dropped.
pub(crate) struct Victim {
    child: Child,
    says: Lines<BufReader<ChildStdout>>,
    told: ChildStdin,
}

impl Victim {
    /// `part` in the arena `name`, to be killed before its step number `fatal`.
    pub(crate) fn start(part: &str, name: &str, fatal: u64, slots: usize) -> Victim {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "victim::plays_its_part", "--nocapture", "--test-threads", "1"])
            .env(PART, part)
            .env(NAME, name)
            .env(AT, fatal.to_string())
            .env(SLOTS, slots.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let says = BufReader::new(child.stdout.take().unwrap()).lines();
        let told = child.stdin.take().unwrap();
        Victim { child, says, told }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it says `word`; what follows it, or `None` if it is killed before.
    pub(crate) fn hear(&mut self, word: &str) -> Option<String> {
        loop {
            let line = self.says.next()?.ok()?;
            if let Some(rest) = line.strip_prefix('@').and_then(|line| line.strip_prefix(word)) {
                return Some(rest.trim().to_owned());
            }
        }
    }

    pub(crate) fn tell(&mut self, word: &str) {
        // It may be dead already.
        let _ = writeln!(self.told, "{word}");
    }

    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end: `None` if it was killed at its step, and how many steps it had if it got through.
    pub(crate) fn end(&mut self) -> Option<u64> {
        let steps = self.hear("steps");
        let status = self.child.wait().unwrap();
        if status.signal() == Some(9) {
            return None;
        }
        assert!(status.success(), "the part failed: {status}");
        Some(steps.expect("it got through").parse().unwrap())
    }
}

impl Drop for Victim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn say(line: &str) {
    println!("\n@{line}");
}

fn listen() -> String {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).unwrap();
    if line.is_empty() {
        // Nobody is there any more.
        std::process::exit(0);
    }
    line
}

/// Counts and dies from here on.
struct Doom {
    fatal: u64,
}

impl Doom {
    /// Does what may kill it.
    fn during<T>(&self, operation: impl FnOnce() -> T) -> T {
        crash::arm(self.fatal);
        let result = operation();
        say(&format!("steps {}", crash::disarm()));
        result
    }
}

#[test]
fn plays_its_part() {
    let Ok(part) = std::env::var(PART) else { return };
    let set = |name: &str| std::env::var(name).unwrap();
    let (name, doom) = (set(NAME), Doom { fatal: set(AT).parse().unwrap() });
    let slots = set(SLOTS).parse().unwrap();
    let (role, act) = part.split_once(' ').unwrap();
    match role {
        "sender" => send(act, &name, &doom),
        "receiver" => receive(act, &name, &doom),
        "client" => ask(act, &name, &doom),
        "worker" => work(act, &name, slots, &doom),
        "host" => host(act, &name, slots, &doom),
        other => panic!("there is no {other}"),
    }
}

fn send(act: &str, name: &str, doom: &Doom) {
    if act == "attaches" {
        drop(doom.during(|| DynSender::connect(options(name), &mut nothing).unwrap()));
        return;
    }
    let sender = sender(name);
    let loan = || {
        let mut record = sender.loan(Some(PATIENCE), &mut nothing).unwrap();
        put(&mut record, doom.fatal);
        record
    };
    match act {
        "loans" => drop(doom.during(loan)),
        "gives back" => {
            let record = loan();
            doom.during(|| drop(record));
        }
        "sends" => {
            let record = loan();
            doom.during(|| sender.send(record, true).map_err(|failed| failed.0).unwrap());
        }
        "sends and keeps an alias" => {
            let record = loan();
            let alias = record.field(0).unwrap();
            doom.during(|| {
                sender.send(record, false).map_err(|failed| failed.0).unwrap();
                drop(alias);
            });
        }
        "leaves" => doom.during(|| drop(sender)),
        other => panic!("no sender {other}"),
    }
}

fn receive(act: &str, name: &str, doom: &Doom) {
    if act == "attaches" {
        drop(doom.during(|| DynReceiver::connect(options(name), &mut nothing).unwrap()));
        return;
    }
    let receiver = receiver(name);
    let receive = || receiver.receive(Some(PATIENCE), &mut nothing).unwrap();
    match act {
        "receives" => drop(doom.during(receive)),
        "receives asleep" => {
            say("ready");
            drop(doom.during(receive));
        }
        "receives a run" => {
            drop(doom.during(|| receiver.receive_many(3, Some(PATIENCE), &mut nothing).unwrap()));
        }
        "gives back a run" => {
            let run = receiver.receive_many(3, Some(PATIENCE), &mut nothing).unwrap();
            doom.during(|| drop(run));
        }
        "gives back" => {
            let record = receive();
            doom.during(|| drop(record));
        }
        "awaits" => drop(doom.during(|| await_it(receiver.receive_async(Some(PATIENCE))).unwrap())),
        "awaits asleep" => {
            drop(doom.during(|| {
                let mut pending = receiver.receive_async(Some(PATIENCE));
                assert!(poll_once(&mut pending).is_none());
                say("ready");
                await_wake(pending).unwrap()
            }));
        }
        "keeps an alias" => {
            let record = receive();
            let alias = record.field(0).unwrap();
            doom.during(|| {
                drop(record);
                drop(alias);
            });
        }
        other => panic!("no receiver {other}"),
    }
}

fn ask(act: &str, name: &str, doom: &Doom) {
    if act == "attaches" {
        drop(doom.during(|| DynClient::connect(options(name), &mut nothing).unwrap()));
        return;
    }
    let client = client(name);
    if act == "awaits a slot" {
        drop(doom.during(|| {
            let mut pending = client.loan_async(Some(PATIENCE));
            assert!(poll_once(&mut pending).is_none());
            say("ready");
            await_wake(pending).unwrap()
        }));
        return;
    }
    let mut record = client.loan(Some(PATIENCE), &mut nothing).unwrap();
    put(&mut record, doom.fatal);
    match act {
        "calls" => {
            doom.during(|| {
                let call = client.call(record, false, Some(PATIENCE)).map_err(|failed| failed.0).unwrap();
                let reply = client.answer(call, Some(PATIENCE), &mut nothing).unwrap();
                assert_eq!(get(&reply), answer_to(doom.fatal));
            });
        }
        "awaits" => doom.during(|| {
            let call = client.call_async(record, false, Some(PATIENCE)).map_err(|failed| failed.0).unwrap();
            assert_eq!(get(&await_it(call).unwrap()), answer_to(doom.fatal));
        }),
        "awaits no longer" => doom.during(|| {
            let call = client.call_async(record, false, Some(PATIENCE));
            drop(poll_once(&mut call.map_err(|failed| failed.0).unwrap()));
        }),
        "awaits in vain" => {
            let error = doom.during(|| {
                let call = client.call_async(record, false, Some(Duration::from_millis(5)));
                await_it(call.map_err(|failed| failed.0).unwrap()).map(drop).unwrap_err()
            });
            assert!(matches!(error, Error::Timeout { .. }), "{error}");
        }
        "gives up" => {
            let error = doom.during(|| {
                let timeout = Some(Duration::from_millis(5));
                let call = client.call(record, false, timeout).map_err(|failed| failed.0).unwrap();
                client.answer(call, timeout, &mut nothing).map(drop).unwrap_err()
            });
            assert!(matches!(error, Error::Timeout { .. }), "{error}");
        }
        other => panic!("no client {other}"),
    }
}

fn work(act: &str, name: &str, slots: usize, doom: &Doom) {
    if act == "attaches" {
        drop(doom.during(|| DynServer::connect(options(name), &mut nothing).unwrap()));
        return;
    }
    let server = server(name);
    say("ready");
    if let Some((run, act)) = act.split_once(": ") {
        return work_on_a_run(run == "a gathered run", act, &server, slots, doom);
    }
    let take = || server.receive(Some(PATIENCE), &mut nothing).unwrap();
    let mut exchange = if act == "takes" { doom.during(take) } else { take() };
    let id = get(&exchange.request);
    put(&mut exchange.reply, answer_to(id));
    match act {
        "takes" => exchange.answer(&mut Copied::default()).unwrap(),
        "answers" => doom.during(|| exchange.answer(&mut Copied::default()).unwrap()),
        "answers and keeps an alias" => {
            let alias = exchange.reply.field(0).unwrap();
            doom.during(|| {
                exchange.answer(&mut Copied::default()).unwrap();
                drop(alias);
            });
        }
        "fails" => {
            let failure = RemoteError {
                type_name: "Planned".to_owned(),
                message: String::new(),
                traceback: String::new(),
            };
            doom.during(|| exchange.fail(&failure).unwrap());
        }
        "drops" => doom.during(|| drop(exchange)),
        other => panic!("no worker {other}"),
    }
}

/// Waits until all three requests are there, so that they are one run.
fn work_on_a_run(is_gathered: bool, act: &str, server: &DynServer, slots: usize, doom: &Doom) {
    let second: u64 = listen().trim().parse().unwrap();
    let gather = if is_gathered { Gather::Always } else { Gather::Never };
    let three = Batching::up_to(3).max_wait(Duration::from_millis(50)).gather(gather);
    let take = || server.receive_many(three, Some(PATIENCE), &mut nothing);
    if act == "puts back" {
        garble(second, slots);
        let error = doom.during(|| take().map(drop).unwrap_err());
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        return;
    }
    let mut exchange = if act == "takes" { doom.during(take) } else { take() }.unwrap();
    assert_eq!(exchange.request.run(), Some(3));
    assert_eq!(exchange.gathered, if is_gathered { 3 * size_of::<u64>() } else { 0 });
    fill(&mut exchange);
    match act {
        "takes" => exchange.answer(&mut Copied::default()).unwrap(),
        "answers" => doom.during(|| exchange.answer(&mut Copied::default()).unwrap()),
        "answers and keeps an alias" => {
            let alias = exchange.reply.field(0).unwrap();
            doom.during(|| {
                exchange.answer(&mut Copied::default()).unwrap();
                drop(alias);
            });
        }
        "drops" => doom.during(|| drop(exchange)),
        other => panic!("no worker {other}"),
    }
}

fn host(act: &str, name: &str, slots: usize, doom: &Doom) {
    match act {
        "begins" => drop(doom.during(|| channel(name, slots).unwrap())),
        "closes" => {
            let host = channel(name, slots).unwrap();
            say("ready");
            listen();
            doom.during(|| drop(host));
        }
        "recovers" => {
            let _host = service(name, slots, false).unwrap();
            say("ready");
            listen();
            doom.during(|| {
                say("armed");
                listen();
            });
        }
        // Not the host's own end: whose end it has to deal with.
        "is left with a mess" => {
            let (server, client) = (server(name), client(name));
            let _taken = server.receive(Some(PATIENCE), &mut nothing).unwrap();
            let _loaned = client.loan(Some(PATIENCE), &mut nothing).unwrap();
            std::thread::scope(|scope| {
                scope.spawn(|| call(&client, 1));
                let me = std::process::id();
                wait_until("the call", || {
                    client.pins().iter().any(|pin| pin.pid == Some(me) && pin.how == "waiting to be received")
                });
                say("ready");
                listen();
                std::process::exit(0);
            });
        }
        other => panic!("no host {other}"),
    }
}
