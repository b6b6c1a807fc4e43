"""`multiprocessing.shared_memory` by hand: the request lies in a block that both sides map, and the other side is told by a flag
that it watches (`spin`), a semaphore, or a byte in a pipe."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.shared_memory import SharedMemory
from typing import Any

import numpy as np

from . import COUNT, NBYTES, SHAPE, Calls, How, answer, pin_server

REPLY = NBYTES
TURN = NBYTES + 64


class Block:
    """The request, the reply, and a word that says whose turn it is."""

    def __init__(self, name: str | None = None) -> None:
        self.memory = SharedMemory(name, create=name is None, size=NBYTES + 128)
        self.pixels = np.frombuffer(self.memory.buf, np.float32, COUNT).reshape(SHAPE)
        self.reply = np.frombuffer(self.memory.buf, np.float64, 1, REPLY)
        self.turn = self.memory.buf[TURN : TURN + 8].cast("Q")

    def close(self) -> None:
        """Unmaps it; nobody else may hold a view."""
        del self.pixels, self.reply
        self.turn.release()
        self.memory.close()


class Flag:
    """Each side watches the word until it has changed."""

    def __init__(self, mine: int, theirs: int) -> None:
        self.mine, self.theirs = mine, theirs

    def bind(self, block: Block) -> tuple[Callable[[], None], Callable[[], None]]:
        turn, mine, theirs = block.turn, self.mine, self.theirs

        def wake() -> None:
            turn[0] = theirs

        def wait() -> None:
            while turn[0] != mine:
                pass

        return wake, wait


class Semaphores:
    def __init__(self, mine: Any, theirs: Any) -> None:
        self.mine, self.theirs = mine, theirs

    def bind(self, block: Block) -> tuple[Callable[[], None], Callable[[], None]]:
        return self.theirs.release, self.mine.acquire


class Pipe:
    def __init__(self, end: Any) -> None:
        self.end = end

    def bind(self, block: Block) -> tuple[Callable[[], None], Callable[[], None]]:
        return lambda: self.end.send_bytes(b"1"), lambda: self.end.recv_bytes()


def pair(variant: str, context: Any) -> tuple[Any, Any]:
    if variant == "semaphore":
        one, other = context.Semaphore(0), context.Semaphore(0)
        return Semaphores(one, other), Semaphores(other, one)
    if variant == "pipe":
        one, other = context.Pipe()
        return Pipe(one), Pipe(other)
    return Flag(0, 1), Flag(1, 0)


def serve_block(name: str, signal: Any) -> None:
    pin_server()
    block = Block(name)
    wake, wait = signal.bind(block)
    while True:
        wait()
        if block.pixels.item(0) == 0:
            block.close()
            return
        block.reply[0] = answer(block.pixels)
        wake()


@contextmanager
def open(how: How) -> Iterator[Calls]:
    context = multiprocessing.get_context("spawn")
    block = Block()
    block.pixels.fill(1.0)
    ours, theirs = pair("spin" if how.spinning else how.variant, context)
    process = context.Process(target=serve_block, args=(block.memory.name, theirs), daemon=True)
    process.start()
    wake, wait = ours.bind(block)
    pixels, reply = block.pixels, block.reply

    def ready(value: float) -> float:
        pixels[0, 0, 0] = value
        wake()
        wait()
        return reply.item(0)

    def written(value: float) -> float:
        pixels.fill(value)
        wake()
        wait()
        return reply.item(0)

    yield Calls(ready, written)
    pixels.fill(0)
    wake()
    process.join(5)
    # The calls above hold these two.
    del pixels, reply
    block.close()
    block.memory.unlink()
