"""Plays a part of a test until it is stopped, in the middle of something, and goes on when it may."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
import time
from pathlib import Path

import tensorbridge as tb
from shared import Number


def host(name: str) -> None:
    with tb.Service(name, Number, Number, slots=2):
        print("ready", flush=True)
        time.sleep(1000)


def worker(name: str) -> None:
    """Answers until the host is gone."""
    with tb.Server(name, Number, Number) as server:
        print("ready", flush=True)
        server.serve(lambda number, answer: answer.value.__setitem__(..., number.value.numpy() + 1))


def client(name: str) -> None:
    """Holds one slot and calls with another."""
    with tb.Client(name, Number, Number) as client, client.loan():
        print("ready", flush=True)
        try:
            client.call(value=1, timeout=5.0)
        except tb.Timeout:
            print("timeout", flush=True)
            time.sleep(1000)


def lock(name: str) -> None:
    """Is about to take the name."""
    path = Path(os.environ["TENSORBRIDGE_DIR"], f".{name}.sock.lock")
    with path.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        print("ready", flush=True)
        time.sleep(1000)


def mute(name: str) -> None:
    """Has the name's socket, accepts, and never answers."""
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(os.path.join(os.environ["TENSORBRIDGE_DIR"], f"{name}.sock"))
    listener.listen()
    print("ready", flush=True)
    accepted = []
    while True:
        accepted.append(listener.accept())
        print("accepted", flush=True)


if __name__ == "__main__":
    globals()[sys.argv[1]](sys.argv[2])
