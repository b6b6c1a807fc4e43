"""Who holds slots."""

from __future__ import annotations

from typing import NamedTuple


class Pin(NamedTuple):
    """A process that holds slots of an arena."""

    arena: str
    """The name of the arena."""
    pid: int
    """The process."""
    how: str
    """What it holds them as: ``loaned``, ``received``, ``an alias of a received record``."""
    slots: int
    """How many."""
    seconds: float
    """The age of the oldest of these holds, in seconds."""
    fields: tuple[str, ...]
    """The fields that tensors alias, where that is known."""
