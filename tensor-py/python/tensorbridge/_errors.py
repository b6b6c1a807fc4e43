"""The error table, as Python sees it."""

from __future__ import annotations

from typing import NamedTuple

from . import _core


class ErrorRow(NamedTuple):
    """One error: its stable code and its class."""

    code: str
    """``TB303``; the same in Rust."""
    name: str
    """The name of the class, and of the variant of Rust's `Error`."""
    builtin: str
    """The builtin exception that the class also inherits."""
    type: type[_core.Error]
    """The class."""


def errors() -> list[ErrorRow]:
    """Everything that tensorbridge raises, in the order of the codes."""
    return [ErrorRow(code, name, builtin, getattr(_core, name)) for code, name, builtin in _core.error_table()]
