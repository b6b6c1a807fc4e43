"""iceoryx2 again, polling: two topics, one there and one back. The server answers the Rust client as well."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import iceoryx2 as iox2

from . import COUNT, Calls, How, answer, say_ready, server
from .iceoryx import Floats, Views


def topics(name: str) -> tuple[Any, Any]:
    """That of the requests and that of the answers, whoever comes first."""
    iox2.set_log_level(iox2.LogLevel.Error)
    node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)

    def topic(side: str, kind: Any) -> Any:
        builder = node.service_builder(iox2.ServiceName.new(f"{name}/{side}"))
        return builder.publish_subscribe(kind).open_or_create()

    return topic("asked", Floats), topic("answered", ctypes.c_double)


def serve(arguments: list[str]) -> None:
    (name,) = arguments
    asked, answered = topics(name)
    subscriber, publisher = asked.subscriber_builder().create(), answered.publisher_builder().create()
    views = Views(ones=False)
    say_ready(name)
    while True:
        if (sample := subscriber.receive()) is None:
            continue
        pixels = views.of(sample.payload())
        if pixels.item(0) == 0:
            return
        publisher.send_copy(ctypes.c_double(answer(pixels)))
        sample.delete()


@contextmanager
def open(how: How) -> Iterator[Calls]:
    name = f"peers/topics/{os.getpid()}"
    asked, answered = topics(name)
    publisher = asked.publisher_builder().initial_max_slice_len(COUNT).create()
    subscriber = answered.subscriber_builder().create()
    views = Views(ones=True)

    def send(loan: Any) -> float:
        loan.assume_init().send()
        while (sample := subscriber.receive()) is None:
            pass
        reply = sample.payload().contents.value
        sample.delete()
        return reply

    def ready(value: float) -> float:
        loan = publisher.loan_slice_uninit(COUNT)
        views.of(loan.payload())[0] = value
        return send(loan)

    def written(value: float) -> float:
        loan = publisher.loan_slice_uninit(COUNT)
        views.of(loan.payload()).fill(value)
        return send(loan)

    with server("iceoryx_topics", name):
        yield Calls(ready, written)
        # One that is killed leaves its files.
        loan = publisher.loan_slice_uninit(COUNT)
        views.of(loan.payload())[0] = 0
        loan.assume_init().send()
