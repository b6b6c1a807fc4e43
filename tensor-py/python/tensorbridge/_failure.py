"""What a caller is told of an exception."""

from __future__ import annotations

import traceback

TEXTLESS = "<exception str() failed>"
"""Python's own words for an exception whose text cannot be made."""


def told(error: BaseException | str) -> tuple[str, str, str]:
    """Its type, its text and its traceback, whatever code of its own raises, and all of it as text that can be sent."""
    if isinstance(error, str):
        return "Failure", _sendable(error), ""
    kind = type(error).__name__
    try:
        text = str(error)
    except BaseException:
        text = TEXTLESS
    try:
        trace = "".join(traceback.format_exception(error))
    except BaseException:
        # It looks for names like the one that was misspelt, in objects of the program's.
        trace = f"{kind}: {text}\n"
    return kind, _sendable(text), _sendable(trace)


def _sendable(text: str) -> str:
    """The text in which half characters, as in a file name that is no UTF-8, are spelt out."""
    return text.encode("utf-8", "backslashreplace").decode()
