"""Shows who holds slots of an arena, as what, and for how long. Takes no slot of it."""

from __future__ import annotations

import argparse
import json

from . import arena

HELP = "show which process holds what of an arena"


def arguments(parser: argparse.ArgumentParser) -> None:
    arena.arguments(parser)
    parser.add_argument("--json", action="store_true", help="for programs: a JSON list with an object for each hold")


def run(options: argparse.Namespace) -> None:
    pins = arena.found(options).pins
    if options.json:
        print(json.dumps([pin._asdict() for pin in pins], indent=2))
        return
    rows = [("SLOT", "PID", "SIDE", "HELD", "AS", "FIELDS", "COMMAND")]
    for pin in pins:
        pid, fields = "-" if pin.pid is None else str(pin.pid), ", ".join(pin.fields) or "-"
        rows.append((str(pin.slot), pid, pin.side, f"{pin.seconds:.1f} s", pin.how, fields, pin.command))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        print(*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[-1], sep="  ")
    if not pins:
        print("nobody holds a slot")
