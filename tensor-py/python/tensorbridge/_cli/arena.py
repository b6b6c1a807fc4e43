"""What commands that look at an arena have in common."""

from __future__ import annotations

import argparse

from .. import Description, describe
from .._describe import SECONDS


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arena's name, and how long to look for it."""
    parser.add_argument("name", metavar="NAME", help="the name of the arena: of a service or a channel")
    parser.add_argument(
        "--timeout",
        type=float,
        default=SECONDS,
        metavar="SECONDS",
        help=f"how long to wait for its host (default: {SECONDS:g})",
    )


def found(options: argparse.Namespace) -> Description:
    """The arena that the command line names."""
    return describe(options.name, timeout=options.timeout)
