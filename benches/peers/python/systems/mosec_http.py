"""Mosec: its web server in front of one worker; bodies are plain bytes."""

from __future__ import annotations

import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from . import HERE, Calls, How, answer
from .http_bytes import calls, connection_to


def serve(arguments: list[str]) -> None:
    import mosec

    class Model(mosec.Worker):
        def deserialize(self, data: bytes) -> np.ndarray:
            return np.frombuffer(data, np.float32)

        def forward(self, data: np.ndarray) -> float:
            return answer(data)

        def serialize(self, data: float) -> bytes:
            return struct.pack("d", data)

    # It reads the options of the command line by itself.
    sys.argv[1:] = arguments
    # The worker's class is local, so its process is forked.
    running = mosec.Server()
    running.append_worker(Model, num=1, start_method="fork")
    running.run()


@contextmanager
def listening(how: How) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as directory:
        options = ["--address", "127.0.0.1", "--port", str(port), "--path", directory, "--log-level", "error"]
        command = [sys.executable, str(HERE / "server.py"), "mosec_http", *options, "--timeout", "60000"]
        with subprocess.Popen(command) as process:
            try:
                wait_for(port, process)
                yield str(port)
            finally:
                process.terminate()


@contextmanager
def connect(port: str, how: How) -> Iterator[Calls]:
    yield calls(connection_to(port), "/inference")


@contextmanager
def open(how: How) -> Iterator[Calls]:
    with listening(how) as port, connect(port, how) as ways:
        yield ways


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until the worker answers: before that the web server does, with an error."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with_worker = connection_to(str(port))
            with_worker.request("POST", "/inference", np.ones(4, np.float32).tobytes())
            if with_worker.getresponse().status == 200:
                return
        except OSError:
            pass
        time.sleep(0.1)
    raise SystemExit("Mosec did not come up")
