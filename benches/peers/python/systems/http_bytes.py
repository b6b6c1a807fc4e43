"""Raw bytes over HTTP: `http.server` of the standard library, or a bare ASGI application in uvicorn."""

from __future__ import annotations

import http.client
import http.server
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from . import SHAPE, Calls, How, answer, request, say_ready, server


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for all calls
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reply = struct.pack("d", answer(np.frombuffer(body, np.float32)))
        self.send_response(200)
        self.send_header("Content-Length", str(len(reply)))
        self.end_headers()
        self.wfile.write(reply)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


async def application(scope: dict[str, Any], receive: Callable[[], Any], send: Callable[[Any], Any]) -> None:
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message["body"])
        more = message.get("more_body", False)
    reply = struct.pack("d", answer(np.frombuffer(b"".join(parts), np.float32)))
    headers = [(b"content-length", str(len(reply)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": reply})


def run_uvicorn(served: Any) -> None:
    """Runs an application on a free port, with uvicorn's fastest parts."""
    import socket

    import uvicorn

    listening = socket.create_server(("127.0.0.1", 0))
    parts: dict[str, Any] = {"loop": "uvloop", "http": "httptools", "lifespan": "off"}
    # A client of many waits longer for the others than a connection without calls is kept by itself.
    config = uvicorn.Config(served, access_log=False, log_level="warning", timeout_keep_alive=600, **parts)
    say_ready(listening.getsockname()[1])
    uvicorn.Server(config).run(sockets=[listening])


def serve(arguments: list[str]) -> None:
    if arguments == ["uvicorn"]:
        run_uvicorn(application)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as running:
        say_ready(running.server_address[1])
        running.serve_forever()


def connection_to(port: str) -> http.client.HTTPConnection:
    return http.client.HTTPConnection("127.0.0.1", int(port))


def post(connection: http.client.HTTPConnection, body: Any, kind: str, path: str = "/") -> bytes:
    """One request over a connection that stays open."""
    connection.request("POST", path, body, {"Content-Type": kind})
    response = connection.getresponse()
    reply = response.read()
    if response.status != 200:
        raise SystemExit(f"{response.status}: {reply!r}")
    return reply


@contextmanager
def listening(how: How) -> Iterator[str]:
    with server("http_bytes", how.variant) as port:
        yield port


@contextmanager
def connect(port: str, how: How) -> Iterator[Calls]:
    yield calls(connection_to(port))


@contextmanager
def open(how: How) -> Iterator[Calls]:
    with listening(how) as port, connect(port, how) as ways:
        yield ways


def calls(connection: http.client.HTTPConnection, path: str = "/") -> Calls:
    pixels = request(1.0)
    # What a socket sends without a copy: a view of bytes.
    view = memoryview(pixels).cast("B")

    def ready(value: float) -> float:
        pixels[0, 0, 0] = value
        return struct.unpack("d", post(connection, view, "application/octet-stream", path))[0]

    def written(value: float) -> float:
        pixels.fill(value)
        return struct.unpack("d", post(connection, view, "application/octet-stream", path))[0]

    assert pixels.shape == SHAPE
    return Calls(ready, written)
