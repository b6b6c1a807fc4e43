//! What processes have used: time of the processor and memory.

use std::collections::BTreeMap;

/// The processes below `root`, whoever started them.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let stat = std::fs::read_to_string(entry.path().join("stat")).unwrap_or_default();
        // The name in parentheses may hold anything; the parent is the second word after it.
        let parent = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(1)?.parse().ok());
        if let Some(parent) = parent {
            children.entry(parent).or_default().push(pid);
        }
    }
    let (mut found, mut look) = (Vec::new(), vec![root]);
    while let Some(pid) = look.pop() {
        let below = children.remove(&pid).unwrap_or_default();
        look.extend(&below);
        found.extend(below);
    }
    found
}

/// Nanoseconds that all threads of a process have run.
pub(crate) fn cpu(pid: u32) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // The clock of another process: see clock_getcpuclockid(3).
    let clock = (!(pid as i32) << 3) | 2;
    // SAFETY: `time` is a timespec that lives through the call.
    let failed = unsafe { libc::clock_gettime(clock, &mut time) } != 0;
    if failed { 0 } else { time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64 }
}

/// Resident and proportional set size in bytes, of all together.
pub(crate) fn memory(pids: &[u32]) -> serde_json::Value {
    let texts: Vec<String> = pids
        .iter()
        .filter_map(|pid| std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok())
        .collect();
    let sum = |name: &str| -> u64 {
        let lines = texts.iter().flat_map(|text| text.lines());
        let values =
            lines.filter_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse::<u64>().ok());
        values.map(|kilobytes| kilobytes * 1024).sum()
    };
    serde_json::json!({"rss": sum("Rss:"), "pss": sum("Pss:")})
}
