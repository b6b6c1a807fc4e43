"""What is asked, and what the answer is. `src/model.rs` says the same in Rust."""

from typing import Any

import numpy as np

PLACES = np.arange(256, dtype=np.uint64)


def numbers(identity: int) -> np.ndarray[Any, np.dtype[np.uint64]]:
    """The numbers of the question with this id."""
    mixed = (np.uint64(identity) ^ PLACES * np.uint64(0x9E3779B97F4A7C15)) * np.uint64(0xBF58476D1CE4E5B9)
    return mixed ^ (mixed >> np.uint64(29))


def answer_to(asked: np.ndarray[Any, np.dtype[np.uint64]]) -> tuple[np.ndarray[Any, np.dtype[np.uint64]], int]:
    """The numbers and the sum of the answer to a question with these numbers."""
    return asked * np.uint64(31) + PLACES, int((asked * (PLACES + np.uint64(1))).sum())
