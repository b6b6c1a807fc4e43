"""What processes have used: time of the processor and memory."""

from __future__ import annotations

import os
import time
from pathlib import Path


def descendants(root: int) -> list[int]:
    """The processes below `root`, whoever started them."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            # The name in parentheses may hold anything; the parent is the second word after it.
            parent = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()[1]
        except OSError:
            continue
        parents.setdefault(int(parent), []).append(int(entry))
    found, look = [], [root]
    while look:
        children = parents.get(look.pop(), [])
        found += children
        look += children
    return sorted(found)


def cpu_ns(pids: list[int]) -> int:
    """Nanoseconds that all threads of these processes have run."""
    total = 0
    for pid in pids:
        try:
            # The clock of another process: see clock_getcpuclockid(3).
            total += time.clock_gettime_ns((~pid << 3) | 2)
        except OSError:
            pass
    return total


def memory(pids: list[int]) -> dict[str, int]:
    """Resident and proportional set size in bytes, of all together."""
    sums = {"rss": 0, "pss": 0}
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        for line in lines:
            name, _, rest = line.partition(":")
            if name.lower() in sums:
                sums[name.lower()] += int(rest.split()[0]) * 1024
    return sums
