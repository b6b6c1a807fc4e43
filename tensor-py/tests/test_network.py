"""A real network behind batches: each caller has the answer that the network gives its photo alone."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, answering
from test_batch import PATIENT, Calls

pytest.importorskip("efficientnet_lite_pytorch")
sys.path.append(str(Path(__file__).parents[2] / "examples" / "imagenet"))

TOGETHER = 8


class Photo(tb.Record, name="test.photo"):
    """A photo's planes."""

    pixels = tb.f32(3, 224, 224)


class Logits(tb.Record, name="test.logits"):
    """What the network says of each of 1000 classes."""

    logits = tb.f32(1000)


def test_a_batched_network_answers_each_photo_as_it_does_alone(hosts: Hosts, name: str) -> None:
    from network import load_network

    network = load_network()
    hosts.service(name, Photo, Logits, slots=TOGETHER, ring_order=True)
    pixels = np.random.default_rng(7).standard_normal((TOGETHER, 3, 224, 224), np.float32)
    runs: list[int] = []

    def answer(photos: Photo, replies: Logits) -> None:
        with torch.inference_mode():
            replies.logits = network(photos.pixels.torch())
        runs.append(photos.records or 0)

    calls = Calls(name, [{"pixels": photo} for photo in pixels])
    with answering(name, answer, Photo, Logits, max_batch=TOGETHER, max_wait=PATIENT):
        results = calls.end()
    assert runs == [TOGETHER]
    with torch.inference_mode():
        alone = [network(torch.from_numpy(photo[None]))[0].numpy() for photo in pixels]
    assert len({logits.tobytes() for logits in alone}) == TOGETHER
    for result, logits in zip(results, alone, strict=True):
        # A batch is added up in another order.
        np.testing.assert_allclose(np.asarray(result["logits"], np.float32), logits, rtol=0, atol=1e-4)
