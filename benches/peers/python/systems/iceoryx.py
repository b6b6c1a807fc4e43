"""iceoryx2, request and response: polling, or an event for each message. The server answers the Rust client as well."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import iceoryx2 as iox2
import numpy as np

from . import COUNT, Calls, How, answer, say_ready, server

Floats = iox2.Slice[ctypes.c_float]


class Views:
    """NumPy arrays on the samples, made once for each place; a client's begins with ones."""

    def __init__(self, ones: bool) -> None:
        self.known: dict[int, np.ndarray] = {}
        self.ones = ones

    def of(self, payload: Any) -> np.ndarray:
        address = payload.as_ptr()
        if (view := self.known.get(address)) is None:
            # `Slice.len()` counts bytes here: the number of elements is ours to know.
            view = np.frombuffer((ctypes.c_float * COUNT).from_address(address), np.float32)
            self.known[address] = view
            if self.ones:
                view.fill(1.0)
        return view


CLIENTS = 80
"""More than the curve over clients has."""


class Meeting:
    """The service, and the event services that wake its sides: one for the server, and one for each client where there are many."""

    def __init__(self, name: str, many: bool = False) -> None:
        iox2.set_log_level(iox2.LogLevel.Error)
        self.node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
        builder = self.node.service_builder(iox2.ServiceName.new(name))
        builder = builder.request_response(Floats, ctypes.c_double)
        if many:
            builder = builder.max_clients(CLIENTS).max_nodes(CLIENTS)
        self.name, self.many, self.service = name, many, builder.open_or_create()
        self.to_server = self.event("server")

    def event(self, side: str) -> Any:
        builder = self.node.service_builder(iox2.ServiceName.new(f"{self.name}/{side}")).event()
        if self.many:
            builder = builder.max_notifiers(CLIENTS).max_nodes(CLIENTS)
        return builder.open_or_create()

    def to_client(self, client: Any = None) -> Any:
        return self.event(f"client/{client.value}" if self.many else "client")

    def waiter(self, events: Any, spinning: bool) -> Callable[[], None]:
        """What to do between two looks."""
        if spinning:
            return lambda: None
        listener, patience = events.listener_builder().create(), iox2.Duration.from_secs(1)
        return lambda: listener.timed_wait(patience)

    def waker(self, events: Any, spinning: bool) -> Callable[[], Any]:
        return (lambda: None) if spinning else events.notifier_builder().create().notify


def serve(arguments: list[str]) -> None:
    name, mode = arguments
    spinning, many = mode == "spinning", mode == "many"
    meeting, views = Meeting(name, many), Views(ones=False)
    port = meeting.service.server_builder().create()
    wait = meeting.waiter(meeting.to_server, spinning)
    wake = None if many else meeting.waker(meeting.to_client(), spinning)
    wakers: dict[int, Callable[[], Any]] = {}
    say_ready(name)
    while True:
        if (active := port.receive()) is None:
            wait()
            continue
        pixels = views.of(active.payload())
        if pixels.item(0) == 0:
            return
        active.send_copy(ctypes.c_double(answer(pixels)))
        if wake is not None:
            wake()
        else:
            client = active.origin
            if client.value not in wakers:
                wakers[client.value] = meeting.waker(meeting.to_client(client), spinning)
            wakers[client.value]()
        active.delete()


@contextmanager
def listening(how: How) -> Iterator[str]:
    """For many clients, which sleep."""
    name = f"peers/{os.getpid()}"
    with server("iceoryx", name, "many"):
        yield name
        end(Port(Meeting(name, many=True), spinning=False))


@contextmanager
def connect(name: str, how: How) -> Iterator[Calls]:
    yield Port(Meeting(name, many=True), spinning=False).calls()


@contextmanager
def open(how: How) -> Iterator[Calls]:
    name = f"peers/{os.getpid()}"
    port = Port(Meeting(name), how.spinning)
    with server("iceoryx", name, "spinning" if how.spinning else "blocking"):
        yield port.calls()
        end(port)


class Port:
    """A client."""

    def __init__(self, meeting: Meeting, spinning: bool) -> None:
        self.meeting, self.spinning, self.views = meeting, spinning, Views(ones=True)
        self.port = meeting.service.client_builder().initial_max_slice_len(COUNT).create()
        # The listener of this side exists before the server rings it.
        self.wait = meeting.waiter(meeting.to_client(self.port.id), spinning)

    def calls(self) -> Calls:
        port, views, wait = self.port, self.views, self.wait
        wake = self.meeting.waker(self.meeting.to_server, self.spinning)

        def send(loan: Any) -> float:
            pending = loan.assume_init().send()
            wake()
            while (response := pending.receive()) is None:
                wait()
            reply = response.payload().contents.value
            response.delete()
            pending.delete()
            return reply

        def ready(value: float) -> float:
            loan = port.loan_slice_uninit(COUNT)
            views.of(loan.payload())[0] = value
            return send(loan)

        def written(value: float) -> float:
            loan = port.loan_slice_uninit(COUNT)
            views.of(loan.payload()).fill(value)
            return send(loan)

        return Calls(ready, written)


def end(port: Port) -> None:
    """Asks the server to end: one that is killed leaves its files."""
    loan = port.port.loan_slice_uninit(COUNT)
    port.views.of(loan.payload())[0] = 0
    loan.assume_init().send()
    port.meeting.waker(port.meeting.to_server, port.spinning)()
