"""A slot is used again only after the framework's last tensor on it is gone, wherever and whenever that is."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
from conftest import Hosts, eventually
from framework import FRAMEWORK, Picture


def cycle(picture: Picture) -> Any:
    made: list[Any] = [FRAMEWORK.open(picture.pixels)]
    made.append(made)
    return made


ALIASES: dict[str, Callable[[Picture], Any]] = {
    "tensor": lambda picture: FRAMEWORK.open(picture.pixels),
    "view of a tensor": lambda picture: FRAMEWORK.view(FRAMEWORK.open(picture.pixels)),
    "two tensors": lambda picture: [FRAMEWORK.open(picture.pixels), FRAMEWORK.open(picture.pixels)],
    "reference cycle": cycle,
    "dict of a record": lambda picture: FRAMEWORK.open_all(picture)["pixels"],
    "array of a tensor": lambda picture: FRAMEWORK.array(FRAMEWORK.open(picture.pixels)),
}


@pytest.mark.parametrize("kind", list(ALIASES))
def test_a_slot_comes_back_after_the_last_alias(hosts: Hosts, name: str, kind: str) -> None:
    channel = hosts.channel(name, Picture, slots=2)
    with tb.Sender(name, Picture) as sender, tb.Receiver(name, Picture) as receiver:
        sender.send(pixels=1.0, id=1)
        picture = receiver.receive()
        alias = ALIASES[kind](picture)
        picture.release()
        del picture
        gc.collect()
        assert channel.free_slots == 1, "the alias holds the slot"
        for number in range(4):
            sender.send(pixels=9.0, id=number)
            receiver.receive().release()
        if kind != "two tensors" and kind != "reference cycle":
            seen = np.asarray(alias) if kind == "array of a tensor" else FRAMEWORK.numbers(alias)
            assert (seen == 1).all(), "nobody else wrote there"
        seen = alias = None
        gc.collect()
        assert eventually(lambda: channel.free_slots == 2), "the last alias gave it back"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_aliases_may_go_in_any_order(hosts: Hosts, name: str, order: tuple[int, ...]) -> None:
    channel = hosts.channel(name, Picture, slots=2)
    with tb.Sender(name, Picture) as sender, tb.Receiver(name, Picture) as receiver:
        sender.send(pixels=1.0, id=1)
        picture = receiver.receive()
        tensor = FRAMEWORK.open(picture.pixels)
        held: list[Any] = [picture, tensor, FRAMEWORK.view(tensor), FRAMEWORK.open(picture.pixels)]
        del picture, tensor
        for which in order[:-1]:
            held[which] = None
            assert channel.free_slots == 1
        held[order[-1]] = None
        assert eventually(lambda: channel.free_slots == 2)


def test_aliases_may_go_on_any_thread(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Picture, slots=8)
    with tb.Sender(name, Picture) as sender, tb.Receiver(name, Picture) as receiver:
        for number in range(8):
            sender.send(pixels=float(number), id=number)
        held = [[FRAMEWORK.open(receiver.receive().pixels)] for _ in range(8)]
        assert channel.free_slots == 0
        threads = [threading.Thread(target=one.clear) for one in held]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert eventually(lambda: channel.free_slots == 8)


def test_a_copy_holds_nothing(hosts: Hosts, name: str) -> None:
    class Odd(tb.Record, name="test.odd"):
        few = tb.f32(3)

    channel = hosts.channel(name, Odd, slots=2)
    with tb.Sender(name, Odd) as sender, tb.Receiver(name, Odd) as receiver:
        loans = [sender.loan(), sender.loan()]
        (odd,) = (loan for loan in loans if loan.few.data_ptr % 64)
        odd.few = 5.0
        odd.send()
        for loan in loans:
            loan.release()
        tensor = FRAMEWORK.open(receiver.receive().few)
        assert channel.free_slots == (2 if FRAMEWORK.may_copy else 1)
        for _ in range(2):
            sender.send(few=6.0)
            receiver.receive().release()
        assert (FRAMEWORK.numbers(tensor) == 5).all()


@pytest.mark.filterwarnings("ignore:.*fork.*")
def test_a_forked_child_gives_nothing_back(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Picture, slots=2)
    with tb.Sender(name, Picture) as sender, tb.Receiver(name, Picture) as receiver:
        sender.send(pixels=1.0, id=1)
        held = [FRAMEWORK.open(receiver.receive().pixels)]
        child = os.fork()
        if child == 0:
            # The child's own copies of everything go, and the child with them, whatever happens.
            signal.alarm(30)
            held.clear()
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        assert channel.free_slots == 1, "the parent's alias holds the slot"
        sender.send(pixels=2.0, id=1)
        receiver.receive().release()
        assert (FRAMEWORK.numbers(held[0]) == 1).all()
        held.clear()
        assert eventually(lambda: channel.free_slots == 2)


EXIT = """
import builtins, sys, tensorbridge as tb
from framework import FRAMEWORK, Picture
receiver = tb.Receiver(sys.argv[1], Picture)
one = FRAMEWORK.open(receiver.receive().pixels)
builtins.two = FRAMEWORK.open(receiver.receive().pixels)
cycle = [FRAMEWORK.view(FRAMEWORK.open(receiver.receive().pixels))]
cycle.append(cycle)
builtins.four = FRAMEWORK.array(FRAMEWORK.open(receiver.receive().pixels))
print("ends", flush=True)
"""


def test_live_aliases_at_the_end_of_the_interpreter(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Picture, slots=4)
    with tb.Sender(name, Picture) as sender:
        for number in range(4):
            sender.send(pixels=1.0, id=number)
        done = subprocess.run(
            [sys.executable, "-c", EXIT, name],
            env={**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])},
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert (done.returncode, done.stdout) == (0, "ends\n"), done.stderr
    assert "Traceback" not in done.stderr and "Exception" not in done.stderr
    assert eventually(lambda: channel.free_slots == 4)
