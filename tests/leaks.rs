//! A million records later nothing is left behind, and nothing was allocated on the way.

#[path = "support/allocations.rs"]
mod allocations;

use allocations::allocations;
use tensorbridge::{Channel, Receiver, Sender, Tensor};

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
        let before = allocations();
        (0..1_000_000).for_each(round);
        assert_eq!(allocations() - before, 0, "allocations");
        assert_eq!(channel.free_slots(), 8);
        assert!(mappings_of_arenas() > 0);
    }
    assert_eq!(mappings_of_arenas(), 0);
    assert_eq!(open_files(), files_before);
}
