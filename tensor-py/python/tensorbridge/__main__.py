"""``python -m tensorbridge``: serving a class from the command line."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from . import Error, __version__, errors, serve


def load(target: str) -> Any:
    """The class that ``module:Class`` names; the module is looked for in the working directory first."""
    module_name, _, name = target.partition(":")
    if not module_name or not name:
        raise SystemExit(f"expected module:Class, found {target!r}")
    sys.path.insert(0, str(Path.cwd()))
    found: Any = importlib.import_module(module_name.removesuffix(".py").replace("/", "."))
    for part in name.split("."):
        if not hasattr(found, part):
            raise SystemExit(f"{module_name} has no {name}")
        found = getattr(found, part)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m tensorbridge", description="Typed tensor records in shared memory."
    )
    parser.add_argument("--version", action="version", version=f"tensorbridge {__version__}")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("serve", help="serve a class that @tb.service decorates")
    command.add_argument("target", metavar="module:Class")
    command.add_argument("--workers", type=int, default=1, help="worker processes (default: 1)")
    command.add_argument("--name", help="another name than the decorator's")
    command.add_argument("--slots", type=int, help="another number of slots than the decorator's")
    commands.add_parser("errors", help="list every error with its code")
    options = parser.parse_args()
    if options.command == "errors":
        for row in errors():
            print(f"{row.code}  {row.name:16} {row.builtin}")
        return
    try:
        serve(load(options.target), workers=options.workers, name=options.name, slots=options.slots)
    except Error as error:
        raise SystemExit(f"{type(error).__name__} ({error.code}): {error}") from None


if __name__ == "__main__":
    main()
