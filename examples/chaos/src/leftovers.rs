//! What this process has open, and who its children are.

use std::fs;
use std::os::unix::fs::MetadataExt;

/// File descriptors, and bytes of memory that only descriptors and mappings keep.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Open {
    pub(crate) descriptors: usize,
    pub(crate) bytes: u64,
}

impl Open {
    pub(crate) fn now() -> std::io::Result<Open> {
        let mut open = Open::default();
        for entry in fs::read_dir("/proc/self/fd")? {
            let path = entry?.path();
            // The listing's own is gone by now.
            let Ok(target) = fs::read_link(&path) else { continue };
            open.descriptors += 1;
            if target.to_string_lossy().starts_with("/memfd:tensorbridge") {
                open.bytes += fs::metadata(&path)?.size();
            }
        }
        for line in
            fs::read_to_string("/proc/self/maps")?.lines().filter(|line| line.contains("/memfd:tensorbridge"))
        {
            let span = line.split_once(' ').and_then(|(span, _)| span.split_once('-'));
            let hex = |text| u64::from_str_radix(text, 16).unwrap_or(0);
            open.bytes += span.map_or(0, |(start, end)| hex(end) - hex(start));
        }
        Ok(open)
    }
}

/// How many children this process has, zombies included.
pub(crate) fn children() -> std::io::Result<usize> {
    let mut count = 0;
    for task in fs::read_dir("/proc/self/task")? {
        // A thread that ends meanwhile leaves its children to another.
        count +=
            fs::read_to_string(task?.path().join("children")).unwrap_or_default().split_whitespace().count();
    }
    Ok(count)
}
