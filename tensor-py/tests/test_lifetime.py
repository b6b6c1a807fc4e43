"""A slot is used again only after the last alias of its record is gone, whatever it is and in whatever order."""

from __future__ import annotations

import gc
import itertools
import subprocess
import sys
import threading
import traceback
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, answering, eventually
from records import Image, Number


def saved_for_backward(image: Image) -> Any:
    weight = torch.ones(3, 4, 5, requires_grad=True)
    return (image.pixels.torch() * weight).sum()


def kept_exception(image: Image) -> Any:
    def fail() -> None:
        inside = image.pixels.numpy()
        raise ValueError(inside.shape)

    try:
        fail()
    except ValueError as error:
        return error


def reference_cycle(image: Image) -> Any:
    cycle: list[Any] = [image.pixels.torch()]
    cycle.append(cycle)
    return cycle


ALIASES: dict[str, Callable[[Image], Any]] = {
    "torch tensor": lambda image: image.pixels.torch(),
    "torch view of a view": lambda image: image.pixels.torch()[1:].reshape(2, 20).T[3],
    "torch storage": lambda image: image.pixels.torch().untyped_storage(),
    "torch numpy view": lambda image: image.pixels.torch().numpy()[::2],
    "NumPy array": lambda image: image.pixels.numpy(),
    "NumPy view of a view": lambda image: image.pixels.numpy()[1:].reshape(2, 20).T[3],
    "NumPy base": lambda image: image.pixels.numpy()[0].base,
    "NumPy from DLPack": lambda image: np.from_dlpack(image.pixels),
    "item of a field": lambda image: image.pixels[0],
    "iterator": lambda image: iter(image.pixels.numpy()),
    "memoryview": lambda image: memoryview(image.pixels)[1:],
    "capsule not consumed": lambda image: image.pixels.__dlpack__(max_version=(1, 0)),
    "capsule of a copy not consumed": lambda image: [image.pixels.numpy(), image.pixels.__dlpack__(copy=True)],
    "tensor saved for backward": saved_for_backward,
    "kept exception": kept_exception,
    "reference cycle": reference_cycle,
    "field": lambda image: image.pixels,
    "dict of tensors": lambda image: image.torch(),
}


@pytest.mark.parametrize("kind", list(ALIASES))
def test_an_alias_keeps_its_slot_and_gives_it_back(hosts: Hosts, name: str, kind: str) -> None:
    channel = hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=1.0, id=1)
        image = receiver.receive()
        alias = ALIASES[kind](image)
        del image
        gc.collect()
        assert channel.free_slots == 1, "the alias holds the slot"
        for number in range(5):
            sender.send(pixels=9.0, id=number)
            receiver.receive().release()
        if isinstance(alias, torch.Tensor | np.ndarray) and alias.dtype in (torch.float32, np.float32):
            assert (alias.detach() if isinstance(alias, torch.Tensor) else alias).min() >= 1
            assert (alias.detach() if isinstance(alias, torch.Tensor) else alias).max() != 9
        del alias
        gc.collect()
        assert channel.free_slots == 2, "the last alias gave it back"


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_aliases_may_go_in_any_order(hosts: Hosts, name: str, order: tuple[int, ...]) -> None:
    channel = hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=1.0, id=1)
        image = receiver.receive()
        tensor = image.pixels.torch()
        held: list[Any] = [image, tensor, tensor[0].view(-1), image.pixels.numpy()[2]]
        del image, tensor
        for count, which in enumerate(order):
            assert channel.free_slots == 1
            held[which] = None
            gc.collect()
            assert channel.free_slots == (2 if count == 3 else 1)


@pytest.mark.parametrize("kind", ["torch view of a view", "NumPy view of a view", "memoryview", "capsule not consumed"])
def test_an_alias_outlives_its_endpoint_and_its_host(hosts: Hosts, name: str, kind: str) -> None:
    with tb.Channel(name, Image, slots=2) as channel:
        sender, receiver = tb.Sender(name, Image), tb.Receiver(name, Image)
        sender.send(pixels=1.0, id=1)
        image = receiver.receive()
        alias = ALIASES[kind](image)
        receiver.close()
        sender.close()
        del receiver, sender
        assert channel.free_slots == 1
        del image
        gc.collect()
        assert channel.free_slots == 1
    if kind == "capsule not consumed":
        alias = torch.from_dlpack(alias)
    assert float(np.asarray(alias).ravel()[0]) == 1.0
    (pin,) = tb.pins()
    assert pin.arena == name and pin.side == "receiver" and pin.fields == ("pixels",)
    del alias
    assert not tb.pins()


def test_a_senders_alias_keeps_the_slot_it_sent(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        image = sender.loan()
        pixels = image.pixels.torch()
        pixels[:] = 4.0
        image.id = 1
        image.send()
        (pin,) = [pin for pin in tb.pins() if pin.fields]
        assert pin.fields == ("pixels",)
        receiver.receive().release()
        assert channel.free_slots == 1 and pixels.min() == 4.0
        (holder,) = channel.pins()
        assert holder.how.endswith("alias of a sent record") and holder.fields == ("pixels",)
        del pixels
        assert channel.free_slots == 2


def test_strict_names_the_alias_that_is_left(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image, strict=True) as sender, tb.Receiver(name, Image) as receiver:
        image = sender.loan()
        pixels = image.pixels.torch()
        pixels[:] = 4.0
        image.id = 1
        with pytest.raises(tb.Aliased, match="`pixels` still has 1 alias") as caught:
            image.send()
        assert (caught.value.field, caught.value.aliases, caught.value.code) == ("pixels", 1, "TB405")
        field = image.pixels  # a field is no alias
        del pixels
        image.send()
        with pytest.raises(tb.Released):
            field.numpy()
        receiver.receive().release()


def test_a_reply_keeps_the_callers_slot(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=2)

    def double(number: Number, answer: Number) -> None:
        answer.value[:] = number.value.torch() * 2

    with answering(name, double):
        with tb.Client(name, Number, Number) as client:
            value = client.call(value=21).value.torch()
            assert client.call(value=1).value.item() == 2
        assert service.free_slots == 1 and value.item() == 42
        del value
        assert eventually(lambda: service.free_slots == 2)


def test_a_workers_alias_keeps_the_slot_it_answered(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=3)
    kept: list[torch.Tensor] = []

    def keep(number: Number, answer: Number) -> None:
        kept.append(number.value.torch())
        answer.value = 0

    with answering(name, keep), tb.Client(name, Number, Number) as client:
        client.call(value=5)
        assert eventually(lambda: service.free_slots == 2)
        assert client.call(value=6).value.item() == 0
        assert [tensor.item() for tensor in kept] == [5, 6]
        assert eventually(lambda: service.free_slots == 1)
        pins = client.pins()
        assert {(pin.how, pin.fields) for pin in pins} == {("an alias of a received record", ("value",))}
        assert len({pin.slot for pin in pins}) == 2
        kept.clear()
        assert eventually(lambda: service.free_slots == 3)


def test_a_handlers_exception_pins_nothing(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number, slots=2)
    kept: list[BaseException] = []

    def handler(number: Number, answer: Number) -> None:
        def inner() -> None:
            alias = number.value.torch()
            raise ValueError(alias)

        try:
            inner()
        except ValueError as error:
            kept.append(error)
            tensor = answer.value.numpy()
            raise KeyError(tensor.shape) from None

    with answering(name, handler), tb.Client(name, Number, Number) as client:
        for _ in range(4):
            with pytest.raises(tb.Remote, match="KeyError"):
                client.call(value=1)
            for error in kept:
                error.args = ()
        assert eventually(lambda: service.free_slots == 2)


def test_a_clients_exception_pins_until_it_is_forgotten(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=1.0, id=1)
        kept: list[BaseException] = []

        def work() -> None:
            image = receiver.receive()
            tensor = image.pixels.torch()
            raise ValueError(tensor.shape)

        try:
            work()
        except ValueError as error:
            kept.append(error)
        assert channel.free_slots == 1
        traceback.clear_frames(kept[0].__traceback__)
        assert channel.free_slots == 2


def test_aliases_may_go_on_any_thread(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=8)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        for number in range(8):
            sender.send(pixels=float(number), id=number)
        held = [[receiver.receive().pixels.torch()] for _ in range(8)]
        assert channel.free_slots == 0
        threads = [threading.Thread(target=one.clear) for one in held]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert channel.free_slots == 8


def test_backward_gives_the_slot_back(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=3.0, id=1)
        weight = torch.ones(3, 4, 5, requires_grad=True)
        loss = (receiver.receive().pixels.torch() * weight).sum()
        assert channel.free_slots == 1
        loss.backward()
        assert weight.grad is not None and weight.grad.eq(3).all()
        del loss
        assert channel.free_slots == 2


HOLD = """
import sys, tensorbridge as tb
receiver = tb.Receiver(sys.argv[1])
image = receiver.receive()
alias = image.pixels.{export}()[1:]
receiver.close()
del image, receiver
print("holding", flush=True)
for line in sys.stdin:
    if line == "let go\\n":
        del alias
        print("let go", flush=True)
"""


@pytest.mark.parametrize("export", ["torch", "numpy"])
@pytest.mark.parametrize("end", ["let go", "exit", "kill"])
def test_an_alias_in_another_process_keeps_the_slot(hosts: Hosts, name: str, export: str, end: str) -> None:
    channel = hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender:
        sender.send(pixels=1.0, id=1)
        program = subprocess.Popen(
            [sys.executable, "-c", HOLD.format(export=export), name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with program:
            assert program.stdin is not None and program.stdout is not None
            assert program.stdout.readline() == "holding\n"
            assert channel.free_slots == 1
            (pin,) = channel.pins()
            assert pin.pid == program.pid and "python" in pin.command
            if end == "let go":
                program.stdin.write("let go\n")
                program.stdin.flush()
                assert program.stdout.readline() == "let go\n"
                assert channel.free_slots == 2
            if end == "kill":
                program.kill()
            program.stdin.close()
            status = program.wait(60)
            assert status == (-9 if end == "kill" else 0)
        assert eventually(lambda: channel.free_slots == 2)


def test_a_record_whose_receiver_is_killed_goes_to_another(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image, slots=2)
    program = "import os, sys, tensorbridge as tb; image = tb.Receiver(sys.argv[1]).receive(); os.kill(os.getpid(), 9)"
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=1.0, id=7)
        assert subprocess.run([sys.executable, "-c", program, name]).returncode == -9
        assert receiver.receive(timeout=10).id.item() == 7


def test_live_aliases_at_the_end_of_the_interpreter(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=4)
    program = """
import builtins, sys, tensorbridge as tb
receiver = tb.Receiver(sys.argv[1])
one = receiver.receive().pixels.torch()
builtins.two = receiver.receive().pixels.numpy()
cycle = [receiver.receive().pixels.torch()]
cycle.append(cycle)
sender = tb.Sender(sys.argv[1])
loan = sender.loan()
"""
    with tb.Sender(name, Image) as sender:
        for number in range(3):
            sender.send(pixels=1.0, id=number)
        done = subprocess.run([sys.executable, "-c", program, name], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert eventually(lambda: channel.free_slots == 4)
