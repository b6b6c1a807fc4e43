//! A million records later nothing is left behind, and nothing was allocated on the way.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use tensorbridge::{Channel, Receiver, Sender, Tensor};

/// Counts the allocations of each thread, so that other tests and the host's thread do not disturb.
struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: everything is left to the system's allocator; counting touches a thread-local number only.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.with(|count| count.set(count.get() + 1));
        // SAFETY: passed on to the caller.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        // SAFETY: passed on to the caller.
        unsafe { System.dealloc(ptr, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[derive(Tensor)]
#[tensor(name = "leaks.image", dims(rows = 1..=16))]
struct Image {
    #[tensor(shape = [rows, 16])]
    pixels: [[f32; 16]; 16],
    id: u64,
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn mappings_of_arenas() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    maps.lines().filter(|line| line.contains("memfd:tensorbridge")).count()
}

#[test]
fn a_million_rounds_leave_no_slot_no_file_no_byte() {
    let name = format!("leaks.p{}", std::process::id());
    let files_before = open_files();
    {
        let channel = Channel::<Image>::builder(&name).slots(8).create().unwrap();
        let sender = Sender::<Image>::builder(&name).connect().unwrap();
        let receiver = Receiver::<Image>::builder(&name).connect().unwrap();
        let round = |id: u64| {
            let mut image = sender.loan().unwrap();
            image.set_rows(1 + id as usize % 16).unwrap();
            image.pixels_mut()[0] = 1.0;
            image.set_id(id);
            image.send().unwrap();
            assert_eq!(receiver.receive().unwrap().id(), id);
        };
        (0..1000).for_each(round);
        let before = ALLOCATIONS.with(Cell::get);
        (0..1_000_000).for_each(round);
        assert_eq!(ALLOCATIONS.with(Cell::get) - before, 0, "allocations");
        assert_eq!(channel.free_slots(), 8);
        assert!(mappings_of_arenas() > 0);
    }
    assert_eq!(mappings_of_arenas(), 0);
    assert_eq!(open_files(), files_before);
}
