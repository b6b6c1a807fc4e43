"""Plays a part of a test until it is killed, in the middle of something."""

from __future__ import annotations

import sys
import time

import tensorbridge as tb
from shared import Number


def forever(*kept: object) -> None:
    """Keeps what it was given."""
    print("ready", flush=True)
    while True:
        time.sleep(1000)


def host(name: str) -> None:
    forever(tb.Service(name, Number, Number, slots=4))


def worker(name: str) -> None:
    """Takes a request and never answers it; one that it may write into, where the service says so."""
    print("ready", flush=True)
    tb.Server(name, Number, Number).serve(lambda number, answer: forever(), mutates_request=True)


def client(name: str) -> None:
    """Holds a tensor of a reply and a loan."""
    client = tb.Client(name, Number, Number)
    forever(client.call(value=1).value.numpy(), client.loan())


if __name__ == "__main__":
    {"host": host, "worker": worker, "client": client}[sys.argv[1]](sys.argv[2])
