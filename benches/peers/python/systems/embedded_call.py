"""A Python interpreter inside the caller's process: Rust copies its request into a new NumPy array and calls a Python function.

The extension module `embedded` is the Rust side (`rivals/embedded`); one process, one thread.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager

from . import Calls, How, answer


@contextmanager
def open(how: How) -> Iterator[Calls]:
    loader = importlib.machinery.ExtensionFileLoader("embedded", os.environ["PEERS_EMBEDDED"])
    embedded = importlib.util.module_from_spec(importlib.util.spec_from_loader("embedded", loader))
    loader.exec_module(embedded)
    caller = embedded.Caller(answer)
    yield Calls(caller.ready, caller.written)
