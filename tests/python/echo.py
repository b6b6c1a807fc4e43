"""Workers and programs for the tests with a Rust program at the other end."""

import os
import sys

import numpy as np
import tensorbridge as tb
from everything import Everything, Scene, Seen, Text, Word

NAME = os.environ.get("TENSORBRIDGE_SERVICE", "echo")


def place_of(address: int) -> tuple[int, int]:
    """Inode and offset of the memory that an address of this process is in."""
    with open("/proc/self/maps") as maps:
        for line in maps:
            span, _, offset, _, inode, *_ = line.split()
            start, end = (int(part, 16) for part in span.split("-"))
            if start <= address < end:
                return int(inode), int(offset, 16) + address - start
    raise LookupError(f"no mapping holds {address:#x}")


@tb.service(NAME, Everything, Everything)
class Echo:
    """Answers with every field of the request plus one, read and written through torch and NumPy."""

    def __call__(self, asked: Everything, answer: Everything) -> None:
        import torch

        for name in asked:
            field = asked[name]
            if name in {"u16", "u32", "u64"}:  # torch has these dtypes but does not add them
                answer[name][:] = field.numpy() + 1
            elif name == "bool_":
                answer[name][:] = ~field.torch()
            elif name.startswith("f8"):
                answer[name][:] = (field.torch().to(torch.float32) + 1).to(field.torch().dtype)
            else:
                torch.add(field.torch(), 1, out=answer[name].torch())


@tb.service(NAME, Text, Seen)
class Look:
    """Says where it sees the request, and fails on command."""

    def __call__(self, text: Text, seen: Seen) -> None:
        tokens = text.ids.torch()
        command = int(tokens[0, 0])
        if command == -1:
            raise ValueError("minus one is not a token")
        if command == -2:
            sys.exit("a handler must not end the worker")
        seen.inode[:], seen.offset[:] = place_of(tokens.data_ptr())
        seen.length[:] = tokens.shape[1]
        seen.total[:] = int(tokens.sum())
        seen.numpy_is_torch[:] = text.ids.numpy().ctypes.data == tokens.data_ptr()
        seen.copied[:] = tb.copied().get("requested", 0)


def relay(source: str, target: str, count: str) -> None:
    """Receives from one channel of a Rust program and sends on another, doubled."""
    with tb.Receiver(source, Word) as receiver, tb.Sender(target, Word) as sender:
        for _ in range(int(count)):
            word = receiver.receive()
            with sender.loan() as doubled:
                doubled.value[:] = word.value.numpy() * 2
                doubled.send()
            del word


def mirror(source: str, target: str) -> None:
    """Sends scenes on with their poses exchanged, where there are two."""
    with tb.Receiver(source, Scene) as receiver, tb.Sender(target, Scene) as sender:
        for _ in range(2):
            with receiver.receive() as scene, sender.loan() as mirrored:
                mirrored.id = int(scene.id) + 1
                last = scene.last
                if last is None:
                    mirrored.pose = scene.pose
                else:
                    mirrored.pose = last
                    mirrored.last = scene.pose
                mirrored.send()


def call(name: str) -> None:
    """Calls a service that a Rust program answers."""
    with tb.Client(name, Word, Word) as client:
        for number in range(100):
            answer = client.call(value=np.full(4, number, np.float32))
            assert (answer.value.numpy() == number + 1).all()
        try:
            client.call(value=np.full(4, -1, np.float32))
        except tb.Remote as error:
            assert error.message == "negative", error
        else:
            raise AssertionError("the Rust server accepted a negative number")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["echo"]:
            tb.serve(Echo)
        case ["look"]:
            tb.serve(Look)
        case ["relay", source, target, count]:
            relay(source, target, count)
        case ["mirror", source, target]:
            mirror(source, target)
        case ["call", name]:
            call(name)
        case other:
            sys.exit(f"unknown part {other}")
