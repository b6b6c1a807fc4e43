"""A Python interpreter inside the caller's process: Rust copies its request into a new NumPy array, or into a
list, and calls a Python function.

The extension module `embedded` is the Rust side (`rivals/embedded`); one process, one thread.
"""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from . import Calls, How, answer


@contextmanager
def open(how: How) -> Iterator[Calls]:
    loader = importlib.machinery.ExtensionFileLoader("embedded", os.environ["PEERS_EMBEDDED"])
    embedded = importlib.util.module_from_spec(importlib.util.spec_from_loader("embedded", loader))
    loader.exec_module(embedded)
    if how.variant == "list":
        # What many bindings do: a list of numbers, one Python object each.
        caller = embedded.Caller(lambda numbers: answer(np.asarray(numbers, np.float32)), as_list=True)
    else:
        caller = embedded.Caller(answer)
    yield Calls(caller.ready, caller.written)
