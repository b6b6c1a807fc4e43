"""The interpreter ends while hosts, endpoints, records, aliases and threads live: quietly, and with status 0."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Program

HEAD = """
import atexit, builtins, os, sys, threading
import tensorbridge as tb

class Number(tb.Record, name="test.number"):
    value = tb.f32(4)

name = sys.argv[1]
"""

CHANNEL = """
channel = tb.Channel(name, Number, slots=4)
sender, receiver = tb.Sender(name), tb.Receiver(name, Number)
sender.send(value=1.0)
sender.send(value=2.0)
record = receiver.receive()
"""

SERVICE = """
service = tb.Service(name, Number, Number, slots=4)
server = tb.Server(name, Number, Number)
def answer(number, reply):
    reply.value[:] = number.value.numpy() + 1
thread = threading.Thread(target=server.serve, args=(answer,), daemon=True)
thread.start()
client = tb.Client(name)
"""

PROGRAMS = {
    "records, loans and NumPy aliases": CHANNEL + "alias = record.value.numpy()[1:]\nloan = sender.loan()\n",
    "torch aliases": CHANNEL + "alias = record.value.torch()[1:]\nbuiltins.kept = record.torch()\n",
    "buffers and capsules": CHANNEL + "builtins.kept = [memoryview(record.value), record.value.__dlpack__(max_version=(1, 0))]\n",
    "fields only": CHANNEL + "field = record.value\ndel record, receiver, sender, channel\n",
    "aliases of what was closed": CHANNEL
    + "alias = record.value.numpy()\nsender.close(); receiver.close(); channel.close()\n",
    "a half-read iterator": CHANNEL + "iterator = iter(receiver)\nnext(iterator)\n",
    "a thread that waits": CHANNEL
    + "receiver.receive()\n"
    + "threading.Thread(target=receiver.receive, kwargs={'timeout': None}, daemon=True).start()\n",
    "a thread that waits for a slot": CHANNEL
    + "kept = [sender.loan() for _ in range(2)]\n"
    + "threading.Thread(target=sender.loan, kwargs={'timeout': None}, daemon=True).start()\n",
    "aliases in a thread's own memory": CHANNEL
    + "local = threading.local()\nlocal.alias = record.value.numpy()\n"
    + "def keep():\n    local.alias = receiver.receive().value.numpy()\n    threading.Event().wait()\n"
    + "threading.Thread(target=keep, daemon=True).start()\n",
    "what reads an alias while it goes": CHANNEL
    + "class Reader:\n    def __init__(self): self.alias = record.value.numpy()\n"
    + "    def __del__(self): assert self.alias[0] == 1.0\n"
    + "reader = Reader()\nreader.cycle = reader\n",
    "a send on the way out": CHANNEL + "atexit.register(lambda: sender.send(value=3.0))\n",
    "a call on the way out": SERVICE + "atexit.register(lambda: client.call(value=3.0))\n",
    "a server, a reply and a loan": SERVICE
    + "reply = client.call(value=1.0)\nalias = reply.value.numpy()\nloan = client.loan()\n",
    "a forked child": CHANNEL
    + "alias = record.value.numpy()\nchild = os.fork()\n"
    + "if child:\n    assert os.waitpid(child, 0)[1] == 0\n"
    + "    assert receiver.receive().value.tolist() == [2.0] * 4 and alias[0] == 1.0\n",
}


@pytest.mark.parametrize("what", list(PROGRAMS))
def test_the_interpreter_ends_quietly(
    run: Callable[..., Program], name: str, what: str, meeting_directory: Path
) -> None:
    assert run("-c", HEAD + PROGRAMS[what], name).finish() == (0, "", "")
    assert not [path for path in meeting_directory.iterdir() if path.name.startswith(name)], "the name was given back"
