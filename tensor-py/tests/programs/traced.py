"""A program that uses OpenTelemetry: calls itself in several ways and prints the spans, one JSON object a line."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

import tensorbridge as tb
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from shared import Number

NAMED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def answer(number: Number, reply: Number) -> None:
    if number.value.numpy().any():
        raise ValueError("not zero")
    reply.value[:] = 0


@contextmanager
def answering(name: str, **options: Any) -> Iterator[None]:
    """A server of this process, in a thread."""
    with tb.Server(name, Number, Number) as server:
        serving = threading.Thread(target=server.serve, args=(answer,), kwargs=options)
        serving.start()
        try:
            yield
        finally:
            server.stop()
            serving.join()


def together(call: Callable[[], object], count: int) -> None:
    """Calls from several threads at once, each in a span of its own."""

    def one() -> None:
        with trace.get_tracer("test").start_as_current_span("together"):
            call()

    threads = [threading.Thread(target=one) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def main(name: str) -> None:
    exporter = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    tracer = trace.get_tracer("test")
    with (
        tb.Service(name, Number, Number, slots=4, ring_order=True),
        tb.Client(name, Number, Number) as client,
        tb.Channel(f"{name}.way", Number, slots=4),
        tb.Sender(f"{name}.way", Number) as sender,
        tb.Receiver(f"{name}.way", Number) as receiver,
    ):
        # So long that the run is waited for until it is whole, however slow the machine is.
        with answering(name, max_batch=2, max_wait=60.0):
            together(lambda: client.call(value=0).release(), 2)
        with answering(name):
            with tracer.start_as_current_span("blocking"):
                client.call(value=0).release()
            with tracer.start_as_current_span("async"):
                asyncio.run(client.call_async(value=0)).release()
            with tracer.start_as_current_span("failing"), suppress(tb.Remote):
                client.call(value=1)
            client.call(value=0, traceparent=NAMED).release()
        with tracer.start_as_current_span("sending"):
            with sender.loan() as number:
                with suppress(tb.MissingField):
                    number.send()
                # What could not be sent belongs to no trace yet.
                assert number.traceparent is None
            sender.send(value=0)
        with receiver.receive() as record:
            print(json.dumps({"received": record.traceparent}))
    for span in exporter.get_finished_spans():
        parent = None if span.parent is None else f"{span.parent.span_id:016x}"
        told = {
            "name": span.name,
            "trace": f"{span.context.trace_id:032x}",
            "span": f"{span.context.span_id:016x}",
            "parent": parent,
            "kind": span.kind.name,
            "status": span.status.status_code.name,
            "attributes": dict(span.attributes or {}),
            "links": [f"{link.context.span_id:016x}" for link in span.links],
            "events": [event.name for event in span.events],
        }
        print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1])
