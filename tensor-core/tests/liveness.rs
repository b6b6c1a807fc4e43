//! Who counts as dead: a process that has ended, as the kernel says, and nobody else.

#![cfg(not(any(tensorbridge_unsupported, tensorbridge_crash)))]

#[path = "../../tests/support/players.rs"]
mod players;

use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use players::{Player, part, play};
use rustix::process::{Pid, Signal, kill_process};
use tensor_core::dynamic::{DynHost, DynReceiver, DynRecord, DynSender, EndpointOptions, HostSettings};
use tensor_core::schema::{DType, Field, Schema, Shape};
use tensor_core::{Error, WaitStrategy};

const SLOTS: usize = 2;

/// Longer than anything takes unless it hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// Some slices, in which whoever believes in time-outs would have buried somebody.
const A_WHILE: Duration = Duration::from_millis(400);

fn schema() -> Schema {
    Schema::new("liveness", 0, "", vec![], vec![Field::new("x", DType::U8, Shape::SCALAR)]).unwrap()
}

fn host(name: &str) -> DynHost {
    DynHost::create(&HostSettings { slots: SLOTS, ..HostSettings::new(name) }, schema(), None, &mut nothing)
        .unwrap()
}

fn options(name: &str) -> EndpointOptions {
    EndpointOptions { timeout: Some(PATIENCE), strategy: WaitStrategy::Block, ..EndpointOptions::new(name) }
}

fn nothing() -> Result<(), Error> {
    Ok(())
}

fn sender(name: &str) -> DynSender {
    DynSender::connect(options(name), &mut nothing).unwrap()
}

fn receiver(name: &str) -> DynReceiver {
    DynReceiver::connect(options(name), &mut nothing).unwrap()
}

fn send(sender: &DynSender, mut record: DynRecord) {
    record.mark_present(0);
    sender.send(record, true).map_err(|failed| failed.0).unwrap();
}

fn unique(name: &str) -> String {
    format!("{name}.p{}", std::process::id())
}

fn wait_until(what: &str, mut so: impl FnMut() -> bool) {
    let start = Instant::now();
    while !so() {
        assert!(start.elapsed() < PATIENCE, "{what} has not come about");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn signal(player: &Player, signal: Signal) {
    kill_process(Pid::from_raw(player.id() as i32).unwrap(), signal).unwrap();
}

/// The state of a process, as `/proc` has it: `Z` for a zombie, `T` for one that is stopped.
fn state(pid: u32) -> char {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(')').unwrap().1.trim_start().chars().next().unwrap()
}

fn sleep_for_ever() -> ! {
    loop {
        std::thread::park();
    }
}

/// A file in which one process leaves something for another.
fn note(name: &str) -> PathBuf {
    std::env::temp_dir().join(name)
}

/// What was left there.
fn taken_note(name: &str) -> i32 {
    wait_until("the note", || std::fs::read_to_string(note(name)).is_ok_and(|text| text.ends_with('.')));
    let text = std::fs::read_to_string(note(name)).unwrap();
    std::fs::remove_file(note(name)).unwrap();
    text.trim_end_matches('.').parse().unwrap()
}

/// A child that shares everything of this process, descriptors and memory, and does nothing.
fn fork_a_sleeper() -> i32 {
    // SAFETY: the child calls nothing but a system call that does not return.
    unsafe {
        let child = libc::fork();
        if child == 0 {
            loop {
                libc::pause();
            }
        }
        child
    }
}

/// The process that is judged: it holds a slot.
fn hold(act: &str, name: &str) {
    let sender = sender(name);
    let record = sender.loan(None, &mut nothing).unwrap();
    match act {
        "waits" => sleep_for_ever(),
        "forks" => {
            let child = fork_a_sleeper();
            std::fs::write(note(name), format!("{child}.")).unwrap();
            sleep_for_ever();
        }
        "executes another program" => panic!("{}", Command::new("sleep").arg("600").exec()),
        "closes descriptors" => {
            // Other descriptors of the same memory, as a lock of a file would go with.
            let is_ours = |link: &std::path::Path| link.to_string_lossy().contains("memfd:tensorbridge");
            for entry in std::fs::read_dir("/proc/self/fd").unwrap() {
                let path = entry.unwrap().path();
                if std::fs::read_link(&path).is_ok_and(|link| is_ours(&link)) {
                    drop(std::fs::File::options().read(true).write(true).open(&path).unwrap());
                }
            }
            // Another participant in this process, which leaves again.
            drop(receiver(name));
            std::thread::sleep(A_WHILE);
            send(&sender, record);
            sleep_for_ever();
        }
        "sends when it may go on" => {
            wait_until("the permission", || note(name).exists());
            send(&sender, record);
            sleep_for_ever();
        }
        other => panic!("nobody {other}"),
    }
}

#[test]
fn a_zombie_is_dead() {
    const TEST: &str = "a_zombie_is_dead";
    if let Some((act, name)) = part() {
        return hold(&act, &name);
    }
    let name = unique("zombie");
    let host = host(&name);
    let holder = play(TEST, "waits", &name);
    wait_until("the loan", || host.free_slots() == SLOTS - 1);
    signal(&holder, Signal::KILL);
    wait_until("its slot", || host.free_slots() == SLOTS);
    assert_eq!(state(holder.id()), 'Z', "nobody has waited for it");
}

#[test]
fn whose_descriptors_are_closed_is_alive() {
    const TEST: &str = "whose_descriptors_are_closed_is_alive";
    if let Some((act, name)) = part() {
        return hold(&act, &name);
    }
    let name = unique("closed");
    let _host = host(&name);
    let _holder = play(TEST, "closes descriptors", &name);
    drop(receiver(&name).receive(Some(PATIENCE), &mut nothing).unwrap());
}

#[test]
fn whose_forked_child_lives_on_is_dead() {
    const TEST: &str = "whose_forked_child_lives_on_is_dead";
    if let Some((act, name)) = part() {
        return hold(&act, &name);
    }
    let name = unique("forked");
    let host = host(&name);
    let holder = play(TEST, "forks", &name);
    let child = taken_note(&name);
    assert_eq!(host.free_slots(), SLOTS - 1);
    signal(&holder, Signal::KILL);
    wait_until("its slot", || host.free_slots() == SLOTS);
    assert_ne!(state(child as u32), 'Z', "the child has everything open still");
    kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
}

#[test]
fn who_is_stopped_is_slow() {
    const TEST: &str = "who_is_stopped_is_slow";
    if let Some((act, name)) = part() {
        return hold(&act, &name);
    }
    let name = unique("stopped");
    let host = host(&name);
    let (sender, receiver) = (sender(&name), receiver(&name));
    let holder = play(TEST, "sends when it may go on", &name);
    wait_until("the loan", || host.free_slots() == SLOTS - 1);
    signal(&holder, Signal::STOP);
    wait_until("the stop", || state(holder.id()) == 'T');
    std::fs::write(note(&name), "go on").unwrap();
    // Others go on, and whoever needs the slot is told who has it.
    let mine = sender.loan(None, &mut nothing).unwrap();
    let error = sender.loan(Some(A_WHILE), &mut nothing).map(drop).unwrap_err();
    let Error::Full(full) = error else { panic!("{error}") };
    assert!(
        full.holders.iter().any(|found| found.pid == Some(holder.id()) && found.how == "loaned"),
        "{full}"
    );
    drop(mine);
    assert_eq!(host.free_slots(), SLOTS - 1);
    signal(&holder, Signal::CONT);
    drop(receiver.receive(Some(PATIENCE), &mut nothing).unwrap());
    std::fs::remove_file(note(&name)).unwrap();
}

/// The process is the same and lives, so nobody may take its slots from it. It has lost its memory and can do nothing
/// with them, so they stay where they are until it ends, and `pins` names it.
#[test]
fn who_executes_another_program_keeps_its_slots_until_it_ends() {
    const TEST: &str = "who_executes_another_program_keeps_its_slots_until_it_ends";
    if let Some((act, name)) = part() {
        return hold(&act, &name);
    }
    let name = unique("executed");
    let host = host(&name);
    let holder = play(TEST, "executes another program", &name);
    let program = || std::fs::read_link(format!("/proc/{}/exe", holder.id())).unwrap_or_default();
    let test = std::env::current_exe().unwrap();
    wait_until("the other program", || host.free_slots() == SLOTS - 1 && program() != test);
    std::thread::sleep(A_WHILE);
    assert_eq!(host.free_slots(), SLOTS - 1);
    assert_eq!(host.pins()[0].pid, Some(holder.id()));
    // Nothing of the arena is open in the other program.
    let open = std::fs::read_dir(format!("/proc/{}/fd", holder.id())).unwrap();
    let of_ours = |path: std::path::PathBuf| {
        std::fs::read_link(path).is_ok_and(|link| link.to_string_lossy().contains("tensorbridge"))
    };
    assert_eq!(open.filter(|entry| of_ours(entry.as_ref().unwrap().path())).count(), 0);
    holder.kill();
    wait_until("its slot", || host.free_slots() == SLOTS);
}

/// The same of a host, as the others see it.
#[test]
fn a_host_is_judged_likewise() {
    const TEST: &str = "a_host_is_judged_likewise";
    if let Some((_, name)) = part() {
        let _host = host(&name);
        let child = fork_a_sleeper();
        std::fs::write(note(&name), format!("{child}.")).unwrap();
        sleep_for_ever();
    }
    let name = unique("host");
    let host = play(TEST, "host", &name);
    let receiver = receiver(&name);
    let child = taken_note(&name);
    signal(&host, Signal::STOP);
    wait_until("the stop", || state(host.id()) == 'T');
    // Stopped is slow: waits reach their own deadlines, and its name is not free.
    let error = receiver.receive(Some(A_WHILE), &mut nothing).map(drop).unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
    let taken =
        DynHost::create(&HostSettings::new(&name), schema(), None, &mut nothing).map(drop).unwrap_err();
    assert!(matches!(taken, Error::NameTaken { .. }), "{taken}");
    // A zombie is dead, although a child has its memory and its listener open.
    signal(&host, Signal::KILL);
    let error = receiver.receive(Some(PATIENCE), &mut nothing).map(drop).unwrap_err();
    assert!(matches!(error, Error::HostDied { .. }), "{error}");
    assert_eq!(state(host.id()), 'Z');
    DynHost::create(&HostSettings::new(&name), schema(), None, &mut nothing).map(drop).unwrap();
    kill_process(Pid::from_raw(child).unwrap(), Signal::KILL).unwrap();
}
