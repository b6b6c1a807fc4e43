//! 10,000 calls at once, from 64 threads of one process, each with a buffer: slots of an arena, boxes of a pool behind a mutex, or
//! memory that is allocated for each. Told is the time for one, or the bytes that were allocated for all.

use crate::support::crowd::{Lent, SLOTS, Shared, THREADS, rounds, together};
use crate::{CurveOptions, point};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Barrier, Mutex};
use std::time::Instant;
use tensorbridge::{Channel, Record, Sender, Tensor};

/// Counts the bytes that a thread asks for, while somebody wants to know.
struct Counting;

thread_local! {
    static COUNTING: Cell<bool> = const { Cell::new(false) };
}

static BYTES: AtomicU64 = AtomicU64::new(0);

#[global_allocator]
static ALLOCATOR: Counting = Counting;

// SAFETY: everything is left to the system's allocator, with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promises are those that this needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

fn count(bytes: usize) {
    if COUNTING.get() {
        BYTES.fetch_add(bytes as u64, Ordering::Relaxed);
    }
}

trait Buffer: Record {
    fn bytes(view: &mut Self::Mut) -> &mut [u8];
}

macro_rules! buffers {
    ($($name:ident $bytes:expr, $text:literal;)*) => {
        $(
            #[derive(Tensor)]
            #[tensor(name = $text)]
            struct $name {
                bytes: [u8; $bytes],
            }

            impl Buffer for $name {
                fn bytes(view: &mut Self::Mut) -> &mut [u8] {
                    view.bytes_mut()
                }
            }
        )*

        /// All 10,000 at once.
        pub(crate) fn measure(options: &CurveOptions, told: Told) {
            $({
                let value = match options.line.as_str() {
                    "tensorbridge" => slots::<$name>(options, told),
                    "a pool behind a mutex" => boxes::<$bytes>(options, told),
                    _ => anew::<$bytes>(options, told),
                };
                point::tell(&options.line, $bytes as f64, value);
            })*
        }
    };
}

buffers! {
    Page 4096, "peers.page";
    Pages 65536, "peers.pages";
}

/// What is told of 10,000 calls: the time for one, or the bytes allocated for all.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Time,
    Bytes,
}

/// Rounds of all threads at once, for the time that is asked for.
fn all<T>(
    options: &CurveOptions,
    told: Told,
    take: impl Fn() -> T + Sync,
    touch: impl Fn(&mut T) + Sync,
) -> f64 {
    let counted = || {
        COUNTING.set(told == Told::Bytes);
        let buffer = take();
        COUNTING.set(false);
        buffer
    };
    let run = |count: usize| {
        let barrier = Barrier::new(THREADS);
        together(THREADS, &barrier, |barrier| rounds(count, barrier, counted, &touch))
    };
    // The first rounds touch memory that nobody has touched.
    let begin = Instant::now();
    run(4);
    let count = ((options.seconds / begin.elapsed().as_secs_f64() * 4.0) as usize).clamp(10, 1000);
    let before = BYTES.load(Ordering::Relaxed);
    let mut times = run(count);
    times.sort_unstable();
    match told {
        Told::Time => times[times.len() / 2] as f64,
        Told::Bytes => (BYTES.load(Ordering::Relaxed) - before) as f64 / count as f64,
    }
}

fn slots<R: Buffer>(options: &CurveOptions, told: Told) -> f64 {
    let name = format!("peers.pool.p{}", std::process::id());
    let _pool = Channel::<R>::builder(&name).slots(SLOTS).create().expect("a fresh name, and memory");
    let sender = Sender::<R>::builder(&name).connect().expect("the host is there");
    all(options, told, || sender.loan().expect("enough for all"), |loan| R::bytes(loan)[0] = 1)
}

fn boxes<const BYTES: usize>(options: &CurveOptions, told: Told) -> f64 {
    let pool: Shared<[u8; BYTES]> = Mutex::new((0..SLOTS).map(|_| boxed()).collect());
    all(options, told, || Lent::take(&pool), |lent| lent.buffer()[0] = 1)
}

fn anew<const BYTES: usize>(options: &CurveOptions, told: Told) -> f64 {
    all(options, told, || Vec::<u8>::with_capacity(BYTES), |buffer| buffer.push(1))
}

/// Zeroes that never lay on the stack.
fn boxed<const BYTES: usize>() -> Box<[u8; BYTES]> {
    vec![0; BYTES].try_into().expect("as many")
}
