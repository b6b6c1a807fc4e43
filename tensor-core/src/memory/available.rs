//! How much memory can be had.
//!
//! A memfd has no limit of its own: allocating more than there is does not fail, it wakes the kernel's out-of-memory
//! killer. So the size is compared first with what the machine and the control group have left. Another process may take
//! it in between; then the kill is the system's own policy.

use std::fs::read_to_string;
use std::path::Path;

/// Bytes that can be allocated now without reclaiming from others, as far as the system says.
pub(super) fn available_memory() -> Option<u64> {
    let machine = read_to_string("/proc/meminfo").ok().and_then(|text| mem_available(&text));
    let group = read_to_string("/proc/self/cgroup").ok().and_then(|text| group_headroom(&text));
    machine.into_iter().chain(group).min()
}

/// `MemAvailable` of `/proc/meminfo`, in bytes.
fn mem_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    kib.checked_mul(1024)
}

/// What the tightest of the process's control groups (version 2) has left.
fn group_headroom(cgroup: &str) -> Option<u64> {
    let path = cgroup.lines().find_map(|line| line.strip_prefix("0::"))?;
    let group = Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let headroom = |group: &Path| {
        let read = |file: &str| read_to_string(group.join(file)).ok()?.trim().parse::<u64>().ok();
        Some(read("memory.max")?.saturating_sub(read("memory.current")?))
    };
    group.ancestors().take_while(|path| path.starts_with("/sys/fs/cgroup")).filter_map(headroom).min()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_says_how_much_there_is() {
        let text = "MemTotal:       24000000 kB\nMemAvailable:   1000 kB\n";
        assert_eq!(mem_available(text), Some(1_024_000));
        assert_eq!(mem_available("MemTotal: 1 kB"), None);
        assert!(available_memory().is_some_and(|bytes| bytes > 1 << 20));
    }

    #[test]
    fn no_version_2_group_is_no_limit() {
        assert_eq!(group_headroom("1:cpu:/x"), None);
    }
}
