//! The peer that means harm. It knows where everything is, and writes through its own mapping.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What there is to scribble on, in bytes from the beginning of CONTROL.
pub(crate) struct Layout {
    regions: Vec<(usize, usize)>,
    data: bool,
}

/// Cursor, ticket, bells and state.
const LIVE: (usize, usize) = (1024, 1024 + 5 * 128);
const PARTICIPANTS: (usize, usize) = (4096, 4096 + 1024 * 64);

impl Layout {
    /// Everything that is used while a service runs.
    pub(crate) fn of_service(slots: usize) -> Layout {
        let hints = if slots <= 16 { 0 } else { 128 };
        let blocks = PARTICIPANTS.1 + 2 * hints;
        // Two symbolic dimensions of the request and one of the reply: two pairs of lines for each slot.
        let blocks = (blocks, blocks + slots * 256);
        // Most of it on the slots.
        let regions = vec![
            blocks,
            blocks,
            blocks,
            blocks,
            LIVE,
            PARTICIPANTS,
            (PARTICIPANTS.1, blocks.0.max(PARTICIPANTS.1 + 8)),
        ];
        Layout { regions, data: true }
    }

    /// What is looked at by whoever attaches: the header, and the schemas at the end.
    pub(crate) fn of_header() -> Layout {
        Layout { regions: vec![(0, 208), (PARTICIPANTS.1, usize::MAX)], data: false }
    }
}

/// A generator of numbers (xorshift64*), so that nothing here depends on a library's taste.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    /// A word that looks like a slot's: phase, flags, holders, generation.
    fn slot_word(&mut self) -> u64 {
        let (phase, flags) = (self.below(8), self.below(4));
        // Few numbers are in use, so that they are hit.
        let (sender, receiver) = (self.below(8), self.below(8));
        phase | flags << 3 | sender << 5 | receiver << 15 | self.below(4) << 25
    }

    fn value(&mut self, found: u64) -> u64 {
        match self.below(9) {
            0 => 0,
            1 => u64::MAX,
            2 => self.next(),
            3 => found ^ 1 << self.below(64),
            4 => found.wrapping_add(self.below(3)).wrapping_sub(1),
            5 => self.below(1024),
            6 => u64::MAX >> self.below(64),
            _ => self.slot_word(),
        }
    }
}

/// The words of a mapping of this process whose name contains `label`.
fn mapping(label: &str) -> &'static [AtomicU64] {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.contains(label)).expect("the arena is mapped");
    let (start, rest) = line.split_once('-').unwrap();
    let end = rest.split_once(' ').unwrap().0;
    let [start, end] = [start, end].map(|text| usize::from_str_radix(text, 16).unwrap());
    // SAFETY: the range is mapped readable and writable for as long as the endpoint lives, which is longer than anything
    // here; it is a multiple of pages, and any word is an atomic.
    unsafe { std::slice::from_raw_parts(start as *const AtomicU64, (end - start) / 8) }
}

/// Writes all over the arena that this process has attached to.
pub(crate) fn scribble(layout: &Layout, how_long: Duration) {
    let (control, data) = (mapping("memfd:tensorbridge-control"), mapping("memfd:tensorbridge-data"));
    let mut numbers = Numbers(0x9E37_79B9_7F4A_7C15 ^ u64::from(std::process::id()));
    let end = Instant::now() + how_long;
    while Instant::now() < end {
        // Bursts and pauses: what is written is also lived with for a while.
        for _ in 0..1 + numbers.below(64) {
            let (start, stop) = layout.regions[numbers.below(layout.regions.len() as u64) as usize];
            let words = stop.min(8 * control.len()) / 8 - start / 8;
            let word = &control[start / 8 + numbers.below(words as u64) as usize];
            let value = numbers.value(word.load(Ordering::Relaxed));
            word.store(value, Ordering::Release);
        }
        if layout.data {
            let at = numbers.below(data.len() as u64) as usize;
            data[at].store(numbers.next(), Ordering::Release);
        }
        if numbers.below(4) == 0 {
            std::thread::sleep(Duration::from_micros(numbers.below(500)));
        }
    }
}
