"""gRPC over a Unix socket. Messages are plain bytes: what a protobuf message around them costs is left out."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
import numpy as np

from . import SHAPE, Calls, How, answer, requests, say_ready, server

METHOD = "/peers.Model/Answer"
SIZES = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def serve(arguments: list[str]) -> None:
    (address,) = arguments

    def handle(body: bytes, context: grpc.ServicerContext) -> bytes:
        return struct.pack("d", answer(np.frombuffer(body, np.float32)))

    # Without serialisers, messages are the bytes themselves.
    method = grpc.unary_unary_rpc_method_handler(handle)
    running = grpc.server(ThreadPoolExecutor(1), options=SIZES)
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("peers.Model", {"Answer": method}),))
    running.add_insecure_port(address)
    running.start()
    say_ready(address)
    running.wait_for_termination()


@contextmanager
def listening(how: How) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory, server("grpc_bytes", f"unix:{directory}/socket") as address:
        yield address


@contextmanager
def connect(address: str, how: How) -> Iterator[Calls]:
    with grpc.insecure_channel(address, options=SIZES) as channel:
        call = channel.unary_unary(METHOD)
        bodies = {value: pixels.tobytes() for value, pixels in requests().items()}
        pixels = np.empty(SHAPE, np.float32)

        def ready(value: float) -> float:
            return struct.unpack("d", call(bodies[value]))[0]

        def written(value: float) -> float:
            pixels.fill(value)
            return struct.unpack("d", call(pixels.tobytes()))[0]

        yield Calls(ready, written)


@contextmanager
def open(how: How) -> Iterator[Calls]:
    with listening(how) as address, connect(address, how) as calls:
        yield calls
