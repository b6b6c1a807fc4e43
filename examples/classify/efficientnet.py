"""The worker of the demo: EfficientNet-Lite0 in PyTorch, which `network.py` of `../imagenet` loads."""

from __future__ import annotations

import time

import tensorbridge as tb
import torch
from memory import place_of
from network import load_network
from records import Photo, Scores

ECHO_STEP = 1


def same_bits(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are equal bit by bit: -0.0 is not 0.0, and a NaN equals itself."""
    return torch.equal(one.contiguous().view(torch.int32), other.contiguous().view(torch.int32))


@tb.service("classify", Photo, Scores)
class Classifier:
    def __init__(self) -> None:
        self.network = load_network()

    def __call__(self, photo: Photo, scores: Scores) -> None:
        copied = tb.copied()
        pixels = photo.pixels.torch()  # on the memory that Rust wrote
        start = time.perf_counter()
        logits = self.network(pixels)
        seconds = time.perf_counter() - start
        scores.logits[:] = logits

        # The rest is there to show what happened; a real worker ends here.
        moved = {reason: count - copied[reason] for reason, count in tb.copied().items()}
        scores.stored_bytes[:] = moved.pop("assigned")
        scores.copied_bytes[:] = sum(moved.values())
        scores.network_seconds[:] = seconds
        scores.same_answer[:] = same_bits(logits, self.network(pixels.clone()))
        scores.inode[:], scores.offset[:] = place_of(pixels.data_ptr())
        torch.add(photo.nonce.torch(), ECHO_STEP, out=scores.echo.torch())


if __name__ == "__main__":
    tb.serve(Classifier)
