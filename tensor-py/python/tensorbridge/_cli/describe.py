"""Shows what an arena is, who is attached to it and what its slots are doing. Takes no slot of it."""

from __future__ import annotations

import argparse
import json

from . import arena

HELP = "show what an arena is and how it is doing"


def arguments(parser: argparse.ArgumentParser) -> None:
    arena.arguments(parser)
    parser.add_argument("--json", action="store_true", help="for programs: one JSON object")


def run(options: argparse.Namespace) -> None:
    found = arena.found(options)
    print(json.dumps(found.as_dict(), indent=2) if options.json else found)
