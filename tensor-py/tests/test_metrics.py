"""What is counted in an arena: `metrics`, and the command that watches it."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, Program, answering, eventually
from records import Image, Number, Scores, Tokens

Run = Callable[..., Program]

APART = 0.001
"""Seconds between calls that are all to be timed."""


def double(number: Number, answer: Number) -> None:
    if (number.value.numpy() < 0).any():
        raise ValueError("below 0")
    answer.value = number.value.numpy() * 2


def test_every_call_is_counted_by_its_end(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number)
    assert service.metrics().sent == 0
    with answering(name, double), tb.Client(name, Number, Number) as client:
        for value in range(20):
            time.sleep(APART)
            assert client.call(value=value).value.item() == 2 * value
        for _ in range(3):
            time.sleep(APART)
            with pytest.raises(tb.RemoteError):
                client.call(value=-1)
        with pytest.raises(tb.MissingField), client.loan() as number:
            number.call()
        assert eventually(lambda: client.metrics().answered + client.metrics().failed == 23)
        for seen in (service.metrics(), client.metrics(), tb.metrics(name)):
            assert (seen.sent, seen.answered, seen.failed, seen.dropped, seen.expired) == (23, 20, 3, 0, 0)
            assert seen.errors == {"TB401": 1, "TB504": 3}
            assert seen.runs.values() == [(1, 23)] and seen.runs.mean == 1.0
            assert (seen.waiting.count, seen.served.count, seen.round_trip.count) == (23, 23, 20)
            assert seen.copied["assigned"] == (23 + 20) * 8 and seen.copied["hole"] == 0
            assert (seen.name, seen.kind, seen.slots, len(seen.epoch)) == (name, "service", 4, 32)
            assert seen.phases.free == 4 and seen.recoveries == tb.Recoveries(0, 0, 0)
            assert 0 < seen.covers < 60 and abs(seen.at - time.monotonic()) < 60


def test_times_are_seconds_and_lengths_are_numbers(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number, slots=8, ring_order=True)

    def slowly(number: Number, answer: Number) -> None:
        time.sleep(0.02)
        answer.value = number.value.numpy()

    with tb.Client(name, Number, Number) as client, tb.Client(name, Number, Number) as other:
        # Both are there before anybody takes them.
        calls = []
        for each in (client, other):
            number = each.loan()
            number.value = 1
            calls.append(number)
        threads = [threading.Thread(target=number.call) for number in calls]
        for thread in threads:
            thread.start()
        assert eventually(lambda: tb.metrics(name).phases.ready == 2)
        with answering(name, slowly, max_batch=4):
            for thread in threads:
                thread.join()
            assert eventually(lambda: tb.metrics(name).answered == 2)
        seen = tb.metrics(name)
    assert seen.runs.values() == [(2, 1)]
    served = seen.served.quantile(0.5)
    assert served is not None and 0.0195 < served < 10
    assert seen.served.min is not None and seen.served.max is not None
    assert seen.served.min <= seen.served.mean <= seen.served.max
    with pytest.raises(ValueError, match="between 0 and 1"):
        seen.served.quantile(99)
    assert "p99" in repr(seen.served) and repr(tb.metrics(name).since(seen).served) == "<nothing seen>"


def test_a_difference_is_what_happened_meanwhile(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Tokens, ring_order=True)
    with tb.Sender(name, Tokens) as sender, tb.Receiver(name, Tokens) as receiver:
        sender.send(seq=2, ids=range(2), mask=True)
        sender.send(seq=5, ids=range(5))
        before = tb.metrics(name)
        with receiver.receive_many(2) as run:
            run.mask.filled(True)
        now = tb.metrics(name).since(before)
        assert (before.sent, before.answered, now.sent, now.answered) == (2, 0, 0, 2)
        assert before.copied["assigned"] == 7 * 8 + 2 and before.phases.ready == 2
        assert now.copied["assigned"] == 0 and now.copied["padded"] == tb.metrics(name).copied["padded"] > 3 * 8
        assert now.per_second(now.answered) == pytest.approx(2 / now.covers)


def test_copies_are_counted_where_they_happen(hosts: Hosts, name: str) -> None:
    other = f"{name}.other"
    hosts.channel(name, Image)
    hosts.channel(other, Image)
    before = tb.copied()
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver, tb.Sender(other, Image) as unused:
        with sender.loan() as image:
            image.pixels[:] = np.ones((3, 4, 5), np.float32)
            image.pixels[0, 0, 0] = 2.0
            image.id = 1
            image.send()
        received = receiver.receive()
        torch.from_dlpack(received.pixels, copy=True)
        seen = receiver.metrics()
        assert seen.copied["assigned"] == 3 * 4 * 5 * 4 + 4 + 8
        assert seen.copied["requested"] == 3 * 4 * 5 * 4
        assert not any(unused.metrics().copied.values())
        del received
    grown = {reason: count - before[reason] for reason, count in tb.copied().items()}
    assert grown == seen.copied


def test_what_is_not_there_is_a_typed_error(name: str) -> None:
    with pytest.raises(tb.NotFound):
        tb.metrics(name, timeout=0.0)


def test_metrics_read_well(hosts: Hosts, name: str) -> None:
    hosts.service(name, Image, Scores)
    seen = tb.metrics(name)
    assert repr(seen).startswith(f"<metrics of service '{name}' over ")
    decoded = json.loads(seen.to_json())
    assert (decoded["name"], decoded["sent"], decoded["errors"]) == (name, 0, {})
    assert set(decoded["copied_bytes"]) == set(seen.copied) == set(tb.copied())


def command(run: Run, *arguments: str) -> tuple[int, str, str]:
    return run("-m", "tensorbridge", *arguments).finish()


def test_top_shows_all_so_far_once(hosts: Hosts, name: str, run: Run) -> None:
    hosts.service(name, Number, Number)
    with answering(name, double), tb.Client(name, Number, Number) as client:
        for value in range(5):
            client.call(value=value)
            time.sleep(APART)
        with pytest.raises(tb.RemoteError):
            client.call(value=-1)
        assert eventually(lambda: tb.metrics(name).failed == 1)
        status, output, errors = command(run, "top", name, "--once")
        assert (status, errors) == (0, ""), errors
        assert output.startswith(f"service '{name}' of 4 slots, over ")
        rows = {line.split("  ")[0]: line.split() for line in output.splitlines() if line}
        assert rows["sent"][-1] == "6" and rows["answered"][-1] == "5" and rows["failed"][-1] == "1"
        assert rows["slots"][1:3] == ["4", "free,"]
        assert "TB504 Remote 1 (1 in all)" in output and "assigned 88 B" in output
        assert all(word in output for word in ("round trip", "waiting", "served", "p99.9", "mean length 1.00"))
        status, output, errors = command(run, "top", name, "--once", "--json")
        assert (status, errors) == (0, "") and output.count("\n") == 1
        seen = json.loads(output)
        assert (seen["sent"], seen["answered"], seen["errors"]) == (6, 5, {"TB504": 1})
        assert seen["waiting_ns"]["count"] == 6 and seen["waiting_ns"]["p50"] > 0


def test_top_says_again_and_again_what_happened_meanwhile(hosts: Hosts, name: str, run: Run) -> None:
    hosts.service(name, Number, Number)
    with answering(name, double), tb.Client(name, Number, Number) as client:
        client.call(value=0)
        watcher = run("-m", "tensorbridge", "top", name, "--json", "--interval", "0.05")
        assert json.loads(watcher.line())["sent"] == 0
        client.call(value=1)
        lines = iter(lambda: json.loads(watcher.line()), None)
        assert next(line for line in lines if line["sent"])["sent"] == 1
        watcher.signal(signal.SIGINT)
        status, _, errors = watcher.finish()
        assert (status, errors) == (0, "")


def test_top_ends_quietly_with_its_reader_and_with_an_error_with_its_host(
    hosts: Hosts, name: str, run: Run
) -> None:
    hosts.channel(name, Image)
    watcher = run("-m", "tensorbridge", "top", name, "--interval", "0.01")
    assert watcher.line().startswith(f"channel '{name}' of 4 slots, over ")
    assert watcher.process.stdout is not None
    watcher.process.stdout.close()
    assert watcher.process.wait(30) == 0
    status, output, errors = command(run, "top", "nobody.there", "--timeout", "0")
    assert (status, output) == (1, "") and errors.startswith("NotFound (TB201): ")
    for wrong in ("0", "-1", "soon"):
        status, _, errors = command(run, "top", name, "--interval", wrong)
        assert status == 2 and "--interval" in errors


def test_top_is_in_the_help(run: Run) -> None:
    status, output, _ = command(run, "--help")
    assert status == 0 and "top " in output


def lines(file: Path) -> list[dict[str, Any]]:
    if not file.exists():
        return []
    # The last one may be being written.
    whole, _, _ = file.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


def test_a_probe_writes_what_happens_in_a_sliding_window(hosts: Hosts, name: str, tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    # The probe waits for its host.
    with tb.Probe(name, file, interval=0.01, window=0.2):
        service = hosts.service(name, Number, Number)
        assert eventually(lambda: len(lines(file)) > 2)
        with answering(name, double):
            with tb.Client(name, Number, Number) as client:
                client.call(value=1)
            assert eventually(lambda: any(line["answered"] == 1 for line in lines(file)))
            # It slides out of the window again.
            assert eventually(lambda: lines(file)[-1]["answered"] == 0)
    seen = lines(file)
    assert all(line["name"] == name and line["pid"] == os.getpid() and line["covers"] < 10 for line in seen)
    # The worker counts its answer before the caller has it: a line may come between the two.
    busy = next(line for line in seen if line["answered"] and line["round_trip_ns"]["p99"])
    assert busy["answered_per_second"] > 0
    memory = busy["memory_bytes"]
    assert memory["arena_size"] == tb.describe(name).bytes
    assert 0 < memory["arena_pss"] <= memory["arena_rss"] <= memory["arena_size"] + 4096
    assert memory["arena_rss"] < memory["rss"] and memory["pss"] <= memory["rss"]
    count = len(seen)
    service.close()
    assert len(lines(file)) == count, "it has stopped"
    with pytest.raises(tb.Io):
        tb.Probe(name, tmp_path / "there is" / "no such directory")


def test_the_environment_switches_probes_on(name: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "seen.jsonl"
    program = run(
        "-c",
        "import os, signal, sys, time, tensorbridge as tb\n"
        "def fork(*_):\n"
        "    parent = os.getpid()\n"
        "    if os.fork() == 0:\n"
        "        receiver = tb.Receiver(sys.argv[1])\n"
        "        while os.getppid() == parent:\n"
        "            time.sleep(0.05)\n"
        "        os._exit(0)\n"
        "signal.signal(signal.SIGUSR1, fork)\n"
        "Number = type('Number', (tb.Record,), {'value': tb.i64()}, name='test.number')\n"
        "host, sender = tb.Channel(sys.argv[1], Number), tb.Sender(sys.argv[1])\n"
        "sender.send(value=3)\n"
        "print('sent', flush=True); time.sleep(600)",
        name,
        env={"TENSORBRIDGE_PROBE": str(file)},
    )
    assert program.line() == "sent"
    assert eventually(lambda: any(line["phases"]["ready"] for line in lines(file)))
    assert {(line["name"], line["pid"]) for line in lines(file)} == {(name, program.process.pid)}
    # A child that connects for itself has a probe of its own.
    program.signal(signal.SIGUSR1)
    assert eventually(lambda: len({line["pid"] for line in lines(file)}) == 2)
    program.signal(signal.SIGINT)
    program.finish()
