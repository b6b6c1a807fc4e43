"""Shows what is happening in an arena, again and again until Ctrl-C: calls, errors, batch sizes, times, copies.

Each view is of what happened since the one before. With --once, one of all that has happened since the arena was made.
Takes no slot of it, and no time of those who work."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator

from .. import Metrics, metrics
from .._errors import errors
from .._show import lines, size
from . import arena

HELP = "watch calls, errors, batch sizes and times of an arena"

CLEAR = "\x1b[H\x1b[2J"
"""Puts the cursor of a terminal at the beginning of an empty screen."""

QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99.9": 0.999}


def arguments(parser: argparse.ArgumentParser) -> None:
    arena.arguments(parser)
    parser.add_argument("--once", action="store_true", help="one view of everything so far, and end")
    parser.add_argument("--interval", type=interval, default=1.0, metavar="SECONDS", help="between views (default: 1)")
    parser.add_argument("--json", action="store_true", help="for programs: a line with a JSON object for each view")


def interval(text: str) -> float:
    """A number of seconds above zero."""
    seconds = float(text)
    if not 0.0 < seconds < float("inf"):
        raise ValueError
    return seconds


def run(options: argparse.Namespace) -> int:
    screen = sys.stdout.isatty() and not options.once and not options.json
    try:
        for now, total in views(options):
            text = now.to_json() if options.json else view(now, total)
            print(CLEAR + text if screen else text, flush=True)
    except KeyboardInterrupt:
        return 0
    except BrokenPipeError:
        # Whoever read has seen enough. What is left in the buffer has nowhere to go.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return 0


def views(options: argparse.Namespace) -> Iterator[tuple[Metrics, Metrics]]:
    """What happened in each interval, and in all so far."""
    before = metrics(options.name, timeout=options.timeout)
    if options.once:
        yield before, before
        return
    while True:
        time.sleep(options.interval)
        now = metrics(options.name, timeout=options.timeout)
        yield now.since(before), now
        before = now


def view(now: Metrics, total: Metrics) -> str:
    """What happened, for people."""
    phases = ", ".join(f"{count} {phase}" for phase, count in now.phases._asdict().items())
    counts = [("", "per second", "", "in all")]
    for what in ("sent", "answered", "failed", "dropped", "expired"):
        count, of_all = getattr(now, what), getattr(total, what)
        if of_all or what in ("sent", "answered"):
            counts.append((what, f"{now.per_second(count):,.1f}", f"{count:,}", f"{of_all:,}"))
    times = [("", *QUANTILES, "max")]
    for what in ("round_trip", "waiting", "served"):
        seen = getattr(now, what)
        quantiles = [seen.quantile(quantile) for quantile in QUANTILES.values()]
        times.append((what.replace("_", " "), *map(duration, [*quantiles, seen.max])))
    runs = now.runs
    sizes = [("runs", f"{runs.count:,}"), ("mean length", f"{runs.mean:.2f}")]
    sizes += [(f"{name} length", number(runs.quantile(quantile))) for name, quantile in QUANTILES.items()]
    copied = [f"{reason} {size(count)}" for reason, count in now.copied.items() if count]
    names = {row.code: row.name for row in errors()}
    failed = [
        f"{code} {names.get(code, '?')} {now.errors.get(code, 0):,} ({count:,} in all)"
        for code, count in total.errors.items()
    ]
    dead = [f"{count:,} {what.replace('_', ' ')}" for what, count in total.recoveries._asdict().items() if count]
    facts = [
        ("slots", phases),
        ("batches", ", ".join(f"{name} {value}" for name, value in sizes)),
        ("copied", ", ".join(copied) or "nothing"),
        ("errors", ", ".join(failed) or "none"),
    ]
    facts += [("the dead", ", ".join(dead))] if dead else []
    blocks = [
        [f"{now.kind} {now.name!r} of {now.slots} slots, over {now.covers:,.1f} s"],
        lines(counts),
        lines(times),
        lines(facts),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def duration(seconds: float | None) -> str:
    """A time, for people."""
    if seconds is None:
        return "-"
    for unit, size_of_unit in (("s", 1.0), ("ms", 1e-3), ("us", 1e-6)):
        if seconds >= size_of_unit:
            return f"{seconds / size_of_unit:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"


def number(value: float | None) -> str:
    """A length, for people."""
    return "-" if value is None else f"{value:,.0f}"
