"""gRPC over a Unix socket. Messages are plain bytes: what a protobuf message around them costs is left out. The server is one of
asyncio, or with the variant `tutorial` one of a thread, as the tutorial has it."""

from __future__ import annotations

import asyncio
import struct
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import grpc
import grpc.aio
import numpy as np

from . import SHAPE, Calls, How, answer, requests, say_ready, server

METHOD = "/peers.Model/Answer"
SIZES = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def reply(body: bytes) -> bytes:
    return struct.pack("d", answer(np.frombuffer(body, np.float32)))


def add(running: Any, handle: Callable[..., Any], address: str) -> None:
    # Without serialisers, messages are the bytes themselves.
    method = grpc.unary_unary_rpc_method_handler(handle)
    running.add_generic_rpc_handlers((grpc.method_handlers_generic_handler("peers.Model", {"Answer": method}),))
    running.add_insecure_port(address)


def serve(arguments: list[str]) -> None:
    address, variant = arguments
    if variant == "tutorial":
        serve_in_thread(address)
    else:
        asyncio.run(serve_awaiting(address))


def serve_in_thread(address: str) -> None:
    def handle(body: bytes, context: grpc.ServicerContext) -> bytes:
        return reply(body)

    running = grpc.server(ThreadPoolExecutor(1), options=SIZES)
    add(running, handle, address)
    running.start()
    say_ready(address)
    running.wait_for_termination()


async def serve_awaiting(address: str) -> None:
    async def handle(body: bytes, context: grpc.aio.ServicerContext) -> bytes:
        return reply(body)

    running = grpc.aio.server(options=SIZES)
    add(running, handle, address)
    await running.start()
    say_ready(address)
    await running.wait_for_termination()


@contextmanager
def listening(how: How) -> Iterator[str]:
    with tempfile.TemporaryDirectory() as directory, server("grpc_bytes", f"unix:{directory}/socket", how.variant) as address:
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
