//! Which memory loans come from, one after the other.

mod support;

use std::collections::BTreeSet;

use support::unique;
use tensorbridge::{Channel, Receiver, Sender, Tensor};

#[derive(Tensor)]
#[tensor(name = "loans.small")]
struct Small {
    pixels: [f32; 64],
}

/// 76,800 bytes.
#[derive(Tensor)]
#[tensor(name = "loans.large")]
struct Large {
    pixels: [[f32; 160]; 120],
}

/// How many different places 200 loans were, each given back before the next: received, or unsent.
macro_rules! places {
    ($record:ty, $slots:expr, $is_sent:expr) => {{
        let name = unique(&format!("loans.b{}.n{}.{}", size_of::<$record>(), $slots, $is_sent));
        let _channel = Channel::<$record>::builder(&name).slots($slots).create().unwrap();
        let sender = Sender::<$record>::builder(&name).connect().unwrap();
        let receiver = Receiver::<$record>::builder(&name).connect().unwrap();
        let place = || {
            let mut loan = sender.loan().unwrap();
            let place = loan.pixels_mut().as_ptr() as usize;
            if $is_sent {
                loan.send().unwrap();
                drop(receiver.receive().unwrap());
            }
            place
        };
        (0..200).map(|_| place()).collect::<BTreeSet<_>>().len()
    }};
}

#[test]
fn a_small_record_is_written_where_the_last_one_was() {
    assert_eq!(places!(Small, 16, false), 1);
    assert_eq!(places!(Small, 100, false), 1);
}

#[test]
fn large_records_go_round_as_many_slots_as_a_shared_cache_holds() {
    assert_eq!(places!(Large, 8, true), 8);
    assert_eq!(places!(Large, 100, true), (4 << 20) / 76_800);
}

#[test]
fn a_large_record_that_nobody_read_is_written_where_the_last_one_was() {
    assert_eq!(places!(Large, 100, false), 1);
}
