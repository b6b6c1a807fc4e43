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


class Meeting:
    """The service, and the two event services that wake its sides."""

    def __init__(self, name: str) -> None:
        iox2.set_log_level(iox2.LogLevel.Error)
        self.node = iox2.NodeBuilder.new().create(iox2.ServiceType.Ipc)
        builder = self.node.service_builder(iox2.ServiceName.new(name))
        self.service = builder.request_response(Floats, ctypes.c_double).open_or_create()
        self.to_server, self.to_client = (self.event(f"{name}/{side}") for side in ("server", "client"))

    def event(self, name: str) -> Any:
        return self.node.service_builder(iox2.ServiceName.new(name)).event().open_or_create()

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
    spinning = mode == "spinning"
    meeting, views = Meeting(name), Views(ones=False)
    port = meeting.service.server_builder().create()
    wait, wake = meeting.waiter(meeting.to_server, spinning), meeting.waker(meeting.to_client, spinning)
    say_ready(name)
    while True:
        if (active := port.receive()) is None:
            wait()
            continue
        pixels = views.of(active.payload())
        if pixels.item(0) == 0:
            return
        active.send_copy(ctypes.c_double(answer(pixels)))
        wake()
        active.delete()


@contextmanager
def open(how: How) -> Iterator[Calls]:
    name = f"peers/{os.getpid()}"
    meeting, views = Meeting(name), Views(ones=True)
    port = meeting.service.client_builder().initial_max_slice_len(COUNT).create()
    wait = meeting.waiter(meeting.to_client, how.spinning)
    with server("iceoryx", name, "spinning" if how.spinning else "blocking"):
        wake = meeting.waker(meeting.to_server, how.spinning)

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

        yield Calls(ready, written)
        loan = port.loan_slice_uninit(COUNT)
        views.of(loan.payload())[0] = 0
        loan.assume_init().send()
        wake()

