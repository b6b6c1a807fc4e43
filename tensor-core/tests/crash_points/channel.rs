//! Senders and receivers of a one-way channel.

use tensor_core::dynamic::{DynHost, DynReceiver, DynSender};

use crate::world::{channel, loan_all, nothing, put, receiver, sender, unique, wait_until};
use crate::{SIZES, Victim, walk};

/// A channel with a sender and a receiver that nothing happens to.
struct Scene {
    name: String,
    slots: usize,
    host: DynHost,
    sender: DynSender,
    receiver: DynReceiver,
}

impl Scene {
    fn new(slots: usize) -> Scene {
        let name = unique("crash.channel");
        let host = channel(&name, slots).unwrap();
        let (sender, receiver) = (sender(&name), receiver(&name));
        Scene { name, slots, host, sender, receiver }
    }

    fn send(&self, id: u64) {
        let mut record = self.sender.loan(None, &mut nothing).unwrap();
        put(&mut record, id);
        self.sender.send(record, true).map_err(|failed| failed.0).unwrap();
    }

    /// The numbers of all records that are there, until every slot is free.
    fn drain(&self) -> Vec<u64> {
        let mut seen = Vec::new();
        wait_until("the end of every record", || {
            while let Some(record) = self.receiver.try_receive().unwrap() {
                seen.push(crate::world::get(&record));
            }
            self.host.free_slots() == self.slots
        });
        seen
    }

    /// The others go on as if nothing had happened.
    fn goes_on(&self) {
        loan_all(self.slots, || self.sender.try_loan());
        self.send(77);
        assert_eq!(self.drain(), [77]);
    }
}

/// `expected` says how many of one record may arrive, given whether the process got through.
fn walk_senders(act: &str, expected: impl Fn(bool) -> &'static [usize]) {
    for slots in SIZES {
        let scene = Scene::new(slots);
        walk(&format!("a sender {act}"), slots, |fatal| {
            let steps = Victim::start(&format!("sender {act}"), &scene.name, fatal, slots).end();
            let seen = scene.drain();
            assert!(seen.iter().all(|id| *id == fatal), "{seen:?}");
            assert!(expected(steps.is_some()).contains(&seen.len()), "{act}, step {fatal}: {seen:?}");
            scene.goes_on();
            steps
        });
    }
}

/// As many of the `count` records that the process is to receive arrive here as `expected` says.
fn walk_receivers(act: &str, count: usize, expected: impl Fn(bool) -> &'static [usize]) {
    for slots in SIZES {
        let scene = Scene::new(slots);
        walk(&format!("a receiver {act}"), slots, |fatal| {
            let asleep = act.ends_with("asleep");
            if !asleep {
                (0..count).for_each(|_| scene.send(fatal));
            }
            let mut victim = Victim::start(&format!("receiver {act}"), &scene.name, fatal, slots);
            if asleep {
                victim.hear("ready");
                scene.send(fatal);
            }
            let steps = victim.end();
            let seen = scene.drain();
            assert!(seen.iter().all(|id| *id == fatal), "{seen:?}");
            assert!(expected(steps.is_some()).contains(&seen.len()), "{act}, step {fatal}: {seen:?}");
            scene.goes_on();
            steps
        });
    }
}

#[test]
fn a_sender_killed_while_it_comes_or_goes_leaves_nothing() {
    walk_senders("attaches", |_| &[0]);
    walk_senders("leaves", |_| &[0]);
}

#[test]
fn a_loan_of_a_killed_sender_comes_back() {
    walk_senders("loans", |_| &[0]);
    walk_senders("gives back", |_| &[0]);
}

#[test]
fn a_killed_senders_record_is_sent_or_not() {
    let once = |through| if through { &[1][..] } else { &[0, 1][..] };
    walk_senders("sends", once);
    walk_senders("sends and keeps an alias", once);
}

#[test]
fn a_receiver_killed_while_it_attaches_takes_nothing_along() {
    walk_receivers("attaches", 1, |_| &[1]);
}

#[test]
fn a_record_whose_receiver_is_killed_before_it_has_it_goes_to_another() {
    let redelivered = |through| if through { &[0][..] } else { &[1][..] };
    walk_receivers("receives", 1, redelivered);
    walk_receivers("receives asleep", 1, redelivered);
    walk_receivers("awaits", 1, redelivered);
    walk_receivers("awaits asleep", 1, redelivered);
}

#[test]
fn a_record_that_a_killed_receiver_had_arrives_at_most_once_more() {
    let perhaps = |through| if through { &[0][..] } else { &[0, 1][..] };
    walk_receivers("gives back", 1, perhaps);
    walk_receivers("keeps an alias", 1, perhaps);
}

#[test]
fn the_records_of_a_run_whose_receiver_is_killed_go_to_others() {
    // A run has those that lie side by side: at least one.
    walk_receivers("receives a run", 3, |through| if through { &[0, 1, 2][..] } else { &[3][..] });
    walk_receivers("gives back a run", 3, |through| if through { &[0, 1, 2][..] } else { &[0, 1, 2, 3][..] });
}
