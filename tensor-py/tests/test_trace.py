"""One trace across both sides: a W3C trace context goes with a record, and OpenTelemetry's spans follow it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import pytest
import tensorbridge as tb
from conftest import PROGRAMS, Hosts, Program, answering
from records import Number

TRACE = "0af7651916cd43dd8448eb211c80319c"
FIRST = f"00-{TRACE}-b7ad6b7169203331-01"
SECOND = f"00-{TRACE}-00f067aa0ba902b7-00"


def test_a_worker_sees_the_trace_that_the_caller_named_and_none_where_it_named_none(hosts: Hosts, name: str) -> None:
    seen: list[Any] = []

    def answer(number: Number, reply: Number) -> None:
        seen.append((number.traceparent, number.traceparents, number.row(0).traceparent))
        reply.value[:] = 0

    hosts.service(name, Number, Number)
    with answering(name, answer), tb.Client(name, Number, Number) as client:
        client.call(value=1, traceparent=FIRST).release()
        client.call(value=1).release()
        asyncio.run(client.call_async(value=1, traceparent=SECOND)).release()
        with client.loan() as number:
            number.traceparent = FIRST
            number.value = 1
            with number.call() as reply:
                assert reply.traceparent == FIRST
    assert seen == [
        (FIRST, [FIRST], FIRST),
        (None, [None], None),
        (SECOND, [SECOND], SECOND),
        (FIRST, [FIRST], FIRST),
    ]


def test_each_record_of_a_run_has_its_own_trace(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, ring_order=True)
    with tb.Sender(name, Number) as sender, tb.Receiver(name, Number) as receiver:
        for trace in (None, FIRST, SECOND):
            with sender.loan() as number:
                number.traceparent = trace
                number.set(value=1).send()
        with receiver.receive_many(3) as run:
            assert run.traceparents == [None, FIRST, SECOND]
            assert run.traceparent == FIRST
            assert [run.row(at).traceparent for at in range(3)] == [None, FIRST, SECOND]
            with pytest.raises(tb.ReadOnly):
                run.traceparent = FIRST
    assert Number.empty(2).traceparents == [None, None]


def test_a_text_that_is_no_trace_context_is_refused_and_the_loan_is_as_it_was(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number)
    with tb.Client(name, Number, Number) as client, client.loan() as number:
        for text in ("", FIRST[:-1], FIRST.upper(), f"00-{'0' * 32}-b7ad6b7169203331-01"):
            with pytest.raises(tb.BadTraceparent) as caught:
                number.set(value=1).call(traceparent=text)
            assert caught.value.found == text and caught.value.code == "TB414"
        assert number.traceparent is None and int(number.value) == 1


def traced(run: Callable[..., Program], name: str) -> tuple[str, list[dict[str, Any]]]:
    """The trace that a record came with, and the spans of `programs/traced.py`."""
    pytest.importorskip("opentelemetry.sdk", reason="opentelemetry-sdk is missing")
    status, output, errors = run(str(PROGRAMS / "traced.py"), name).finish()
    assert status == 0, errors
    first, *spans = map(json.loads, output.splitlines())
    return first["received"], spans


def test_opentelemetry_spans_of_both_sides_are_one_trace(run: Callable[..., Program], name: str) -> None:
    received, spans = traced(run, name)

    def child(parent: dict[str, Any]) -> dict[str, Any]:
        [found] = [span for span in spans if span["parent"] == parent["span"]]
        assert found["trace"] == parent["trace"]
        return found

    roots = {span["name"]: span for span in spans if span["parent"] is None}
    for root in ("blocking", "async", "failing"):
        call = child(roots[root])
        serve = child(call)
        assert [call["name"], call["kind"], serve["name"], serve["kind"]] == ["call", "CLIENT", "serve", "SERVER"]
        assert call["attributes"]["arena"] == serve["attributes"]["arena"] == name
        assert call["attributes"]["slot"] == serve["attributes"]["slot"]
        assert serve["attributes"]["requests"] == serve["attributes"]["attempt"] == 1
        failed = root == "failing"
        assert [span["status"] for span in (call, serve)] == ["ERROR" if failed else "UNSET"] * 2
        assert [span["events"] for span in (call, serve)] == [["exception"] if failed else []] * 2
        assert call["attributes"].get("redelivered") is (None if failed else False)

    # Of a trace that the caller named, what it named is the parent of both.
    named = {span["name"]: span["parent"] for span in spans if span["trace"] == TRACE}
    assert named == {"call": "b7ad6b7169203331", "serve": "b7ad6b7169203331"}

    # A run is answered in one span, of one caller's trace and linked to the other's.
    calls = {span["span"] for span in spans if span["name"] == "call" and span["attributes"].get("attempt") == 1}
    [together] = [span for span in spans if span["links"]]
    assert together["attributes"]["requests"] == 2
    assert {together["parent"], *together["links"]} <= calls and len(together["links"]) == 1

    _, trace, parent, flags = received.split("-")
    assert (trace, parent) == (roots["sending"]["trace"], roots["sending"]["span"]) and int(flags, 16) & 1


def test_opentelemetry_is_not_imported_for_calls_of_programs_that_do_not_use_it(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number)
    program = """
import sys, tensorbridge
with tensorbridge.Client(sys.argv[1]) as client:
    assert client.call(value=1).value.item() == 2
sys.exit(any(name.startswith("opentelemetry") for name in sys.modules))
"""

    def answer(number: Number, answer: Number) -> None:
        answer.value = number.value.numpy() * 2

    with answering(name, answer):
        assert subprocess.run([sys.executable, "-c", program, name], check=False).returncode == 0
