"""Who holds slots."""

from __future__ import annotations

from typing import NamedTuple


class Pin(NamedTuple):
    """A hold on one side of a slot of an arena."""

    arena: str
    """The name of the arena."""
    slot: int
    """The slot."""
    side: str
    """``sender``, which includes callers, or ``receiver``, which includes workers."""
    pid: int | None
    """The process; None for a record that was sent one way and not received yet, which nobody holds."""
    command: str
    """The command line of that process, shortened; empty where the system does not say."""
    how: str
    """What it holds the slot as: ``loaned``, ``received``, ``an alias of a received record``."""
    seconds: float
    """For how long this side has been held, in seconds."""
    fields: tuple[str, ...]
    """The fields that tensors alias, where that is known."""


class Holder(NamedTuple):
    """A process that holds slots of a full arena."""

    pid: int | None
    """The process; None for records that were sent one way and not received yet, which nobody holds."""
    command: str
    """The command line of that process, shortened; empty where the system does not say."""
    how: str
    """What it holds them as: ``loaned``, ``received``, ``an alias of a received record``."""
    slots: int
    """How many."""
    seconds: float
    """The age of the oldest of these holds, in seconds."""
    fields: tuple[str, ...]
    """The fields that tensors alias, where that is known."""
