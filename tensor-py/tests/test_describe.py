"""What an arena says of itself to whoever asks by name: `tb.describe` and the commands that show and write it."""

from __future__ import annotations

import importlib.util
import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import tensorbridge as tb
from conftest import Hosts, Program, eventually
from records import Image, Number, Scores, Tokens

Run = Callable[..., Program]


def roles(name: str) -> list[str]:
    return [participant.role for participant in tb.describe(name).participants]


def test_a_service_is_described(hosts: Hosts, name: str) -> None:
    hosts.service(name, Image, Scores, slots=3, mutates_request=True)
    with tb.Client(name) as client, tb.Server(name, Image, Scores):
        loan = client.loan()
        assert eventually(lambda: roles(name) == ["host", "client", "server"])
        seen = tb.describe(name)
        assert (seen.name, seen.kind, seen.slots, seen.host_pid) == (name, "service", 3, os.getpid())
        assert seen.request == Image.schema and seen.reply == Scores.schema
        assert seen.phases == tb.Phases(free=2, loaned=1, ready=0, taken=0, done=0)
        assert (seen.request_bytes, seen.reply_bytes) == (3 * 4 * 5 * 4 + 8, 10 * 4 + 4)
        assert seen.bytes > 3 * (seen.request_bytes + seen.reply_bytes)
        assert seen.mutates_request and not seen.sparse and not seen.ring_order and len(seen.epoch) == 32
        assert seen.participants[0] == tb.Participant(os.getpid(), "host")
        assert [(pin.pid, pin.how) for pin in seen.pins] == [(os.getpid(), "loaned")]
        assert seen.holders[0].slots == 1
        del loan
    assert eventually(lambda: roles(name) == ["host"])
    assert tb.describe(name).phases.free == 3, "looking took no slot"


def test_a_channel_is_described(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Tokens)
    with tb.Sender(name), tb.Receiver(name):
        assert eventually(lambda: roles(name) == ["host", "sender", "receiver"])
        seen = tb.describe(name)
        assert (seen.kind, seen.reply, seen.reply_bytes) == ("channel", None, 0)
        assert seen.request.fields[1].optional and seen.request.dims == [("seq", 1, 16)]


def test_what_is_not_there_is_a_typed_error(name: str) -> None:
    with pytest.raises(tb.NotFound):
        tb.describe(name, timeout=0.0)
    with pytest.raises(tb.InvalidName):
        tb.describe("Not A Name")
    with pytest.raises(ValueError, match="seconds"):
        tb.describe(name, timeout=-1.0)


def test_a_description_reads_well(hosts: Hosts, name: str) -> None:
    hosts.service(name, Tokens, Scores)
    with tb.Client(name), tb.Client(name):
        assert eventually(lambda: len(roles(name)) == 3)
        seen = tb.describe(name)
    text = repr(seen)
    assert text.startswith(f"<service {name!r} of 4 slots\n  memory    ")
    for part in (
        f"  host      process {os.getpid()}, epoch {seen.epoch[:8]}\n",
        "  slots     4 free, 0 loaned, 0 ready, 0 taken, 0 done\n",
        f"  attached  {os.getpid()} host and 2 clients\n",
        "  request: test.tokens, 528 B\n",
        "    mask  bool  [seq]        optional\n",
        "  reply: test.scores, 44 B\n    logits  f32  [10]\n    best    i32  []>",
    ):
        assert part in text, text
    page = seen._repr_html_()
    assert page.count("<table>") == page.count("</table>") == 3
    for part in (name, "test.tokens", "[2, seq, 3]", "test.scores", "logits"):
        assert part in page
    assert json.loads(json.dumps(seen.as_dict()))["phases"]["free"] == 4


def command(run: Run, *arguments: str) -> tuple[int, str, str]:
    return run("-m", "tensorbridge", *arguments).finish()


def test_the_command_shows_an_arena(hosts: Hosts, name: str, run: Run) -> None:
    hosts.channel(name, Image)
    status, output, errors = command(run, "describe", name)
    assert (status, errors) == (0, "") and output.startswith(f"channel {name!r} of 4 slots\n")
    assert "RGB planes." in output
    status, output, errors = command(run, "describe", "--json", name)
    seen = json.loads(output)
    assert (status, errors, seen["kind"], seen["slots"]) == (0, "", "channel", 4)
    assert seen["request"]["fields"][0] == {
        "name": "pixels",
        "dtype": "f32",
        "shape": [3, 4, 5],
        "optional": False,
        "align": 0,
        "pad": None,
        "unit": "nit",
        "doc": "RGB planes.",
    }
    assert seen["request"]["fingerprint"] == Image.schema.fingerprint
    status, output, errors = command(run, "describe", "nobody.there", "--timeout", "0")
    assert (status, output) == (1, "") and errors.startswith("NotFound (TB201): ") and errors.count("\n") == 1


def test_the_command_writes_records_and_sees_when_they_are_stale(
    hosts: Hosts, name: str, run: Run, tmp_path: Path
) -> None:
    hosts.service(name, Tokens, Scores)
    file = tmp_path / "written.py"
    status, _, errors = command(run, "stubs", name, "--out", str(file), "--check")
    assert status == 1 and "is not there" in errors
    assert command(run, "stubs", name, "--out", str(file)) == (0, "", "")
    assert command(run, "stubs", name, "--out", str(file), "--check") == (0, "", "")
    status, output, _ = command(run, "stubs", name)
    assert (status, output) == (0, file.read_text()) and output == tb.describe(name).python_module()

    spec = importlib.util.spec_from_file_location("written", file)
    assert spec is not None and spec.loader is not None
    written = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(written)
    assert written.Tokens.schema == Tokens.schema and written.Scores.schema == Scores.schema
    assert written.Tokens.__doc__ == Tokens.__doc__
    tb.Client(name, written.Tokens, written.Scores).close()

    file.write_text(file.read_text().replace("tb.Dim(1, 16)", "tb.Dim(1, 8)"))
    status, output, errors = command(run, "stubs", name, "--out", str(file), "--check")
    assert status == 1 and "stale" in errors
    assert "\n-    seq = tb.Dim(1, 8)\n+    seq = tb.Dim(1, 16)\n" in output
    status, _, errors = command(run, "stubs", name, "--check")
    assert status == 2 and "--out" in errors


class Pose(tb.Record, name="test.pose"):
    points = tb.Dim(1, 8)
    position = tb.f32(3, unit="m")
    outline = tb.f32(points, 2, optional=True)


class Scene(tb.Record, name="test.scene"):
    pose = tb.nested(Pose)
    id = tb.u64()


def test_records_within_records_are_written_as_they_are(hosts: Hosts, name: str, run: Run) -> None:
    hosts.channel(name, Scene)
    status, output, errors = command(run, "stubs", name)
    assert (status, errors) == (0, ""), errors
    written: dict[str, Any] = {}
    exec(output, written)
    assert written["Scene"].schema == Scene.schema
    assert "    pose.position  f32  [3]" in str(tb.describe(name))


def test_a_host_that_does_not_answer_is_a_timeout(name: str, run: Run) -> None:
    program = run(
        "-c",
        "import sys, tensorbridge as tb; sys.path.insert(0, sys.argv[2]); from records import Number\n"
        "channel = tb.Channel(sys.argv[1], Number); print('hosting', flush=True); __import__('time').sleep(600)",
        name,
        str(Path(__file__).parent),
    )
    assert program.line() == "hosting"
    program.stop()
    try:
        with pytest.raises(tb.Timeout, match="host"):
            tb.describe(name, timeout=0.2)
    finally:
        program.signal(signal.SIGCONT)
    assert tb.describe(name, timeout=30.0).host_pid == program.process.pid
    program.signal(signal.SIGINT)
    assert program.finish()[0] != 0


@pytest.mark.parametrize("word", ["class", "__private"])
def test_records_that_python_cannot_declare_are_not_written(hosts: Hosts, name: str, run: Run, word: str) -> None:
    """Such a field is an item of its record: ``record["class"]``."""
    odd = type("Odd", (tb.Record,), {word: tb.f32(2)}, name="test.odd")
    hosts.channel(name, odd)
    status, output, errors = command(run, "stubs", name)
    assert (status, output) == (1, "") and "cannot be declared in Python" in errors


def test_the_command_line_explains_itself(run: Run) -> None:
    status, output, _ = command(run, "--help")
    assert status == 0
    for word in ("serve", "describe", "stubs", "errors"):
        assert f"\n    {word} " in output
        status, more, _ = command(run, word, "--help")
        assert status == 0 and more.startswith(f"usage: python -m tensorbridge {word} ")
    status, output, errors = command(run, "errors")
    assert (status, errors) == (0, "") and len(output.splitlines()) == len(tb.errors())
    assert command(run, "--version")[1] == f"tensorbridge {tb.__version__}\n"
    assert sys.version_info >= (3, 11) and Number.schema.class_name == "Number"
