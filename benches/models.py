"""Answers the benchmark's calls with a network, on as many requests at a time as it is told."""

import os
import sys
from collections.abc import Callable

import torch

import tensorbridge as tb

MAX_WAIT = 500e-6


class Image(tb.Record, name="bench.image"):
    pixels = tb.f32(3, 224, 224)


class Logits(tb.Record, name="bench.logits"):
    scores = tb.f32(1000)


class Features(tb.Record, name="bench.features"):
    inputs = tb.f32(256)


class Scores(tb.Record, name="bench.scores"):
    outputs = tb.f32(64)


def efficientnet() -> tuple[type[tb.Record], type[tb.Record], Callable[..., None]]:
    from network import load_network

    network = load_network()

    def classify(image: Image, logits: Logits) -> None:
        logits.scores[:] = network(image.pixels.torch())

    return Image, Logits, classify


def mlp() -> tuple[type[tb.Record], type[tb.Record], Callable[..., None]]:
    network = torch.nn.Sequential(torch.nn.Linear(256, 1024), torch.nn.ReLU(), torch.nn.Linear(1024, 64)).eval()

    def score(features: Features, scores: Scores) -> None:
        scores.outputs[:] = network(features.inputs.torch())

    return Features, Scores, score


def main() -> None:
    model, max_batch = sys.argv[1], int(sys.argv[2])
    # One core is the clients'.
    torch.set_num_threads(max(1, len(os.sched_getaffinity(0)) - 1))
    request, reply, answer = {"efficientnet": efficientnet, "mlp": mlp}[model]()
    with tb.Server(os.environ["TENSORBRIDGE_SERVICE"], request, reply) as server:
        server.serve(answer, max_batch=max_batch, max_wait=MAX_WAIT if max_batch > 1 else 0.0)


if __name__ == "__main__":
    main()
