"""The worker: EfficientNet-Lite0, which `network.py` of `../imagenet` loads, on as many photos at a time as have come."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import tensorbridge as tb
from network import load_network
from records import Photo, Scores

NAME, MAX_BATCH, MAX_WAIT = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])

SPANS = os.environ.get("PHOTO_SERVICE_SPANS")
"""The file for the spans of traces that a caller records; without it there are none."""


@tb.service(NAME, Photo, Scores, max_batch=MAX_BATCH, max_wait=MAX_WAIT)
class Classifier:
    def __init__(self) -> None:
        self.network = load_network()
        if SPANS is not None:
            from spans import record_into

            record_into(Path(SPANS))

    def __call__(self, photo: Photo, scores: Scores) -> None:
        with span("network"):
            scores.logits[:] = self.network(photo.pixels.torch())


def span(name: str) -> AbstractContextManager[object]:
    """A span of the request's trace: tensorbridge runs the handler in the caller's."""
    if SPANS is None:
        return nullcontext()
    from opentelemetry import trace

    return trace.get_tracer("photo-service").start_as_current_span(name)


if __name__ == "__main__":
    tb.serve(Classifier)
