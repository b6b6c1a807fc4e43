"""What the same call costs by the ways Python brings along: a pickled array through a pipe, and JSON over HTTP.

Each call writes a new photo of 602 112 bytes, sends it to another process, which reads one number of it and
sends that back; the answer is checked. Prints one line of JSON: durations in microseconds.

    python peers.py --calls 1000 --seconds 5
"""

from __future__ import annotations

import argparse
import http.client
import http.server
import json
import multiprocessing
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnContext

import numpy as np

SHAPE = (3, 224, 224)
WARM_UP = 3


def pipe_server(pipe: Connection) -> None:
    while (photo := pipe.recv()) is not None:
        pipe.send(float(photo[0, 0, 0]))


class JsonHandler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # one connection for all calls
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body leave together

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        answer = json.dumps({"first": body["pixels"][0][0][0]}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:
        pass


def http_server(port: Connection) -> None:
    with http.server.HTTPServer(("127.0.0.1", 0), JsonHandler) as server:
        port.send(server.server_address[1])
        server.serve_forever()


def measure(call: Callable[[np.ndarray], float], calls: int, seconds: float) -> dict[str, float]:
    """Up to `calls` calls, or as many as fit into `seconds`."""
    photo = np.empty(SHAPE, np.float32)
    durations: list[float] = []
    deadline = time.perf_counter() + seconds
    for number in range(WARM_UP + calls):
        start = time.perf_counter_ns()
        photo.fill(number)
        answer = call(photo)
        durations.append((time.perf_counter_ns() - start) / 1e3)
        if answer != number:
            raise SystemExit(f"sent {number}, was answered {answer}")
        if time.perf_counter() > deadline and len(durations) > WARM_UP:
            break
    measured = sorted(durations[WARM_UP:])

    def at_most(percent: int) -> float:
        return measured[-(-len(measured) * percent // 100) - 1]

    return {"median_us": at_most(50), "p99_us": at_most(99), "calls": len(measured)}


def pickle_pipe(context: SpawnContext, calls: int, seconds: float) -> dict[str, float]:
    ours, theirs = context.Pipe()
    server = context.Process(target=pipe_server, args=(theirs,), daemon=True)
    server.start()
    theirs.close()

    def call(photo: np.ndarray) -> float:
        ours.send(photo)
        return float(ours.recv())

    result = measure(call, calls, seconds)
    ours.send(None)
    server.join()
    return result


def json_http(context: SpawnContext, calls: int, seconds: float) -> dict[str, float]:
    ours, theirs = context.Pipe()
    server = context.Process(target=http_server, args=(theirs,), daemon=True)
    server.start()
    connection = http.client.HTTPConnection("127.0.0.1", ours.recv())

    def call(photo: np.ndarray) -> float:
        body = json.dumps({"pixels": photo.tolist()}).encode()
        connection.request("POST", "/", body, {"Content-Type": "application/json"})
        return float(json.loads(connection.getresponse().read())["first"])

    result = measure(call, calls, seconds)
    connection.close()
    server.terminate()
    server.join()
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000, help="the most calls to measure for each way")
    parser.add_argument("--seconds", type=float, default=5.0, help="the longest time to spend on each way")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ways = {"pickle_pipe": pickle_pipe, "json_http": json_http}
    print(json.dumps({name: way(context, options.calls, options.seconds) for name, way in ways.items()}))


if __name__ == "__main__":
    main()
