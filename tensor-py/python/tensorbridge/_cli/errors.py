"""Lists every error with its stable code, its name, which is the same in Rust, and the Python exception that it is."""

from __future__ import annotations

import argparse

from .. import errors

HELP = "list every error with its code"


def arguments(parser: argparse.ArgumentParser) -> None:
    del parser


def run(options: argparse.Namespace) -> None:
    del options
    for row in errors():
        print(f"{row.code}  {row.name:16} {row.builtin}")
