"""``python -m tensorbridge``. Each command is a module here, with `HELP`, `arguments(parser)` and `run(options)`.

A command's help is its module's documentation. What `run` returns is the exit status, and None is 0.
"""

from __future__ import annotations

import argparse
import inspect
import sys
from types import ModuleType

from .. import Error, __version__
from . import describe, errors, pins, serve, stubs, top

COMMANDS: dict[str, ModuleType] = {
    "serve": serve,
    "describe": describe,
    "pins": pins,
    "top": top,
    "stubs": stubs,
    "errors": errors,
}


def parser() -> argparse.ArgumentParser:
    """What the command line may say."""
    top = argparse.ArgumentParser(
        prog="python -m tensorbridge",
        description="Typed tensor records in shared memory: serve models, look at arenas, write record classes.",
        epilog="`python -m tensorbridge COMMAND --help` says more about a command.",
    )
    top.add_argument("--version", action="version", version=f"tensorbridge {__version__}")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND", title="commands")
    for name, module in COMMANDS.items():
        command = commands.add_parser(
            name,
            help=module.HELP,
            description=inspect.getdoc(module),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(command)
    return top


def main() -> None:
    """Runs the command that the command line names. An error of tensorbridge is one message, and the status is 1."""
    options = parser().parse_args()
    try:
        sys.exit(COMMANDS[options.command].run(options))
    except Error as error:
        sys.exit(f"{type(error).__name__} ({error.code}): {error}")
