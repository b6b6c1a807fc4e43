"""Waits for something that does not come, in one of the ways there are."""

from __future__ import annotations

import asyncio
import sys

import tensorbridge as tb
from shared import Number

what, name, wait = sys.argv[1:]


def connect() -> None:
    tb.Client("nobody.there", timeout=None)


def loan() -> None:
    with tb.Sender(name, Number, timeout=None, wait=wait) as sender:
        held = [sender.loan() for _ in range(sender.slots)]
        print("waiting", flush=True)
        held.append(sender.loan())


def receive() -> None:
    with tb.Receiver(name, Number, timeout=None, wait=wait) as receiver:
        print("waiting", flush=True)
        receiver.receive()


def iterate() -> None:
    with tb.Receiver(name, Number, timeout=None, wait=wait) as receiver:
        print("waiting", flush=True)
        for _ in receiver:
            pass


def call() -> None:
    with tb.Client(name, Number, Number, timeout=None, wait=wait) as client:
        print("waiting", flush=True)
        client.call(value=1)


def await_() -> None:
    async def work(client: tb.Client[Number, Number]) -> None:
        call = asyncio.ensure_future(client.call_async(value=1))
        await asyncio.sleep(0)
        print("waiting", flush=True)
        await call

    with tb.Client(name, Number, Number, timeout=None, wait=wait) as client:
        asyncio.run(work(client))


def serve() -> None:
    with tb.Server(name, Number, Number, timeout=None, wait=wait) as server:
        print("waiting", flush=True)
        server.serve(lambda number, answer: None)


try:
    if what == "connect":
        print("waiting", flush=True)
    globals()[what]()
except KeyboardInterrupt:
    print("interrupted", flush=True)
    sys.exit(3)
