"""Writes the records of an arena as a Python module of typed tb.Record classes, which editors and type checkers read.

With --check it compares instead: the status is 1, and the difference is printed, when the file is not what the arena
has. Without --out the module is printed."""

from __future__ import annotations

import argparse
import difflib
import sys
from pathlib import Path
from typing import Any

from .. import Description, Record
from . import arena

HELP = "write the records of an arena as Python classes"


def arguments(parser: argparse.ArgumentParser) -> None:
    arena.arguments(parser)
    parser.add_argument("--out", type=Path, metavar="FILE", help="the module to write, or to compare with --check")
    parser.add_argument("--check", action="store_true", help="compare FILE with the arena and write nothing")


def run(options: argparse.Namespace) -> int:
    if options.check and options.out is None:
        print("--check compares a file: say which with --out FILE", file=sys.stderr)
        return 2
    found = arena.found(options)
    text = found.python_module()
    try_out(found, text)
    if options.check:
        return compare(options.out, text, options.name)
    if options.out is None:
        print(text, end="")
    else:
        options.out.write_text(text, encoding="utf-8")
    return 0


def compare(file: Path, text: str, name: str) -> int:
    """Prints how the file differs from the module; the exit status."""
    if not file.is_file():
        print(f"{file} is not there: write it without --check", file=sys.stderr)
        return 1
    here, there = (each.splitlines(keepends=True) for each in (file.read_text(encoding="utf-8"), text))
    difference = list(difflib.unified_diff(here, there, str(file), f"arena {name}"))
    sys.stdout.writelines(difference)
    if difference:
        print(f"{file} is stale: write it again without --check", file=sys.stderr)
    return 1 if difference else 0


def try_out(found: Description, text: str) -> None:
    """Whether the module says what the arena has; names of a field that Python reserves may prevent it."""
    namespace: dict[str, Any] = {}
    wanted = {found.request, found.reply} - {None}
    try:
        exec(compile(text, f"<records of {found.name}>", "exec"), namespace)
    except SyntaxError as error:
        raise SystemExit(f"the records of {found.name} cannot be declared in Python: {error}") from None
    declared = {
        each.schema
        for each in namespace.values()
        if isinstance(each, type) and issubclass(each, Record) and each is not Record
    }
    if not wanted <= declared:
        names = ", ".join(sorted(schema.name for schema in wanted - declared if schema is not None))
        raise SystemExit(f"{names} cannot be declared in Python: one of its names means something else there")
