"""One module for each way to have another process answer a request.

Each has `open(how)`, a context manager that starts the other process and gives the two ways to call it, and, when that process is a
program of its own, `serve(arguments)`. Where many clients can call one server there are also the two halves of `open`:
`listening(how)` gives an address, and `connect(address, how)` the two ways to call.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHAPE = (3, 224, 224)
COUNT = 3 * 224 * 224
NBYTES = 4 * COUNT
VALUES = (1.0, 2.0, 3.0, 4.0)
"""What the first number of a request is, in turns; negative when the server has to read all of them."""

HERE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class How:
    """What is asked of a system."""

    spinning: bool
    """Whether both sides wait without sleeping."""
    variant: str = ""
    """Which form, for a module that has several."""


@dataclass(frozen=True)
class Calls:
    """The two ways to call. Both take the first number of the request and give the server's answer."""

    ready: Callable[[float], float]
    """The request already lies where the system wants it."""
    written: Callable[[float], float]
    """The request is written anew."""


NETWORK = "PEERS_NETWORK"
"""When the environment has it, servers run a network on the request."""


def best_two(pixels: np.ndarray) -> list[float]:
    """The two largest logits of ResNet-50."""
    global _network
    import torch

    if _network is None:
        from resnet import resnet50

        torch.set_num_threads(1)
        _network = resnet50()
    with torch.inference_mode():
        return _network(torch.from_numpy(pixels).view(1, *SHAPE))[0].topk(2).values.tolist()


def model(pixels: np.ndarray) -> float:
    """The largest logit: whoever says the same, and not the second, has the same label."""
    return best_two(pixels)[0]


_network: Any = None


def answer(pixels: np.ndarray) -> float:
    """What every server answers: the first number, or when it is negative the sum of all, or what the network says."""
    first = pixels.item(0)
    if first < 0 and NETWORK in os.environ:
        return model(pixels)
    return first if first >= 0 else float(pixels.sum())


def expected(value: float, written: bool) -> float:
    """What a server must answer to a request that begins with `value`: then come ones, or when written the same value."""
    if value >= 0:
        return value
    return value * COUNT if written else value + (COUNT - 1)


def request(value: float) -> np.ndarray:
    """A request that lies ready: `value`, then ones."""
    pixels = np.ones(SHAPE, np.float32)
    pixels.flat[0] = value
    return pixels


def written_request(value: float) -> np.ndarray:
    """What a request holds that is written anew."""
    return np.full(SHAPE, value, np.float32)


def requests() -> dict[float, np.ndarray]:
    """A request for each value, for systems that cannot change one that lies ready."""
    return {sign * value: request(sign * value) for value in VALUES for sign in (1.0, -1.0)}


def pin(core: int) -> None:
    """Keeps this process and its children on a core, unless the run is one without pinning."""
    if os.environ.get("PEERS_PLACEMENT") == "pinned":
        os.sched_setaffinity(0, {core % (os.cpu_count() or 1)})


def pin_server() -> None:
    pin(1)


def pin_client() -> None:
    pin(0)


def say_ready(address: object) -> None:
    """Tells the process that started this one where it listens."""
    print("ready", address, flush=True)


def await_ready(process: subprocess.Popen[str]) -> str:
    """Where a started server listens."""
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith("ready "):
            return line.split(maxsplit=1)[1].strip()
    raise SystemExit(f"the server ended with status {process.wait()} before it was ready")


@contextmanager
def server(system: str, *arguments: str) -> Iterator[str]:
    """Runs `serve` of a module in another process; gives the address it said."""
    command = [sys.executable, str(HERE / "server.py"), system, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield await_ready(process)
        finally:
            process.terminate()
