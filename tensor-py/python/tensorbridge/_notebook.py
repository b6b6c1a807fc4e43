"""In a notebook, `Out[n]` keeps what a record looked like, and not the record, which would keep its slot in use."""

from __future__ import annotations

import sys
from typing import Any


class Shown:
    """What a record or a field looked like when a notebook showed it."""

    def __init__(self, part: Any) -> None:
        self._text = repr(part)
        self._html: str | None = part._repr_html_() if hasattr(part, "_repr_html_") else None

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str | None:
        return self._html


def _replace(shell: Any, part: Any, picture: Shown) -> None:
    numbers = [number for number, value in shell.user_ns["_oh"].items() if value is part]
    last = ("_", "__", "___")
    names = (*last, *(f"_{number}" for number in numbers))
    places = (
        (shell.user_ns["_oh"], numbers),
        (shell.user_ns, names),
        (shell.user_ns_hidden, names),  # what IPython itself has put among the user's names
        (vars(shell.displayhook), last),
    )
    for place, keys in places:
        for key in keys:
            if place.get(key) is part:
                place[key] = picture


def shown(part: Any) -> dict[str, Any]:
    """Called by IPython while it shows a record or a field; adds nothing to what it shows.

    When the cell is over, its output history gets a picture instead. Names that the program gave are left alone.
    """
    ipython = sys.modules.get("IPython")
    shell: Any = None if ipython is None else ipython.get_ipython()
    if shell is None:
        return {}

    def forget(result: Any) -> None:
        nonlocal part
        shell.events.unregister("post_run_cell", forget)
        if result.result is part:
            result.result = picture = Shown(part)
            _replace(shell, part, picture)
        # This function leads to itself: what it leads to besides would wait for the garbage collector.
        part = None

    shell.events.register("post_run_cell", forget)
    return {}
