"""ZeroMQ, REQ to REP over a Unix socket, without the copies that pyzmq can leave out."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import zmq

from . import NBYTES, Calls, How, answer, request, say_ready, server


def serve(arguments: list[str]) -> None:
    (address,) = arguments
    socket = zmq.Context().socket(zmq.REP)
    socket.bind(address)
    say_ready(address)
    while True:
        frame = socket.recv(copy=False)
        socket.send(struct.pack("d", answer(np.frombuffer(frame.buffer, np.float32, NBYTES // 4))))


@contextmanager
def listening(how: How) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory, server("zeromq", f"ipc://{directory}/socket") as address:
        yield address


@contextmanager
def connect(address: str, how: How) -> Iterator[Calls]:
    context = zmq.Context()
    socket = context.socket(zmq.REQ)
    socket.connect(address)
    pixels = request(1.0)

    def ready(value: float) -> float:
        pixels[0, 0, 0] = value
        socket.send(pixels, copy=False)
        return struct.unpack("d", socket.recv())[0]

    def written(value: float) -> float:
        pixels.fill(value)
        socket.send(pixels, copy=False)
        return struct.unpack("d", socket.recv())[0]

    yield Calls(ready, written)
    context.destroy(linger=0)


@contextmanager
def open(how: How) -> Iterator[Calls]:
    with listening(how) as address, connect(address, how) as calls:
        yield calls
