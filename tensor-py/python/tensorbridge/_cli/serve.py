"""Serves a class that @tb.service decorates, until SIGTERM or Ctrl-C.

This process hosts the service; each worker is a process of its own, in which the class is made and called."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from typing import Any

from .. import serve

HELP = "serve a class that @tb.service decorates"


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


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", metavar="module:Class", help="where the class is")
    parser.add_argument("--workers", type=int, default=1, help="worker processes (default: 1)")
    parser.add_argument("--name", help="another name than the decorator's")
    parser.add_argument("--slots", type=int, help="another number of slots than the decorator's")
    parser.add_argument("--restarts", type=int, default=10, help="restarts of a worker in a row (default: 10)")
    parser.add_argument("--grace", type=float, default=5.0, help="seconds to finish a call at the end (default: 5)")


def run(options: argparse.Namespace) -> None:
    serve(
        load(options.target),
        workers=options.workers,
        name=options.name,
        slots=options.slots,
        restarts=options.restarts,
        grace=options.grace,
    )
