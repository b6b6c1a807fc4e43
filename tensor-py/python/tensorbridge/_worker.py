"""Answering calls: the loop of a worker process."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar, overload

from . import _core, _trace
from ._endpoint import SECONDS, Endpoint, Wait
from ._failure import told
from ._record import Record
from ._service import Gather, Spec

Req = TypeVar("Req", bound=Record)
Rep = TypeVar("Rep", bound=Record)

CHECK = "TENSORBRIDGE_CHECK_REQUESTS"
"""Set to 1, a handler that writes into its request fails."""

GRACE = 1.0
"""Seconds that a call may still take after its host has died."""

MEETING = 10.0
"""Seconds that a worker waits for the host that started it."""


class Server(Endpoint[_core.Server], Generic[Req, Rep]):
    """Answers calls of a service that another process hosts. The arguments are those of `Client`.

    `serve` is what most programs want: it makes one of these in each worker process.

    ::

        with tb.Server("double", Number, Number) as server:
            server.serve(lambda number, answer: answer.value.__setitem__(..., number.value.numpy() * 2))
    """

    _kind = _core.Server

    @overload
    def __init__(
        self: Server[Any, Any],
        name: str,
        request: None = None,
        reply: None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
    ) -> None: ...
    @overload
    def __init__(
        self,
        name: str,
        request: type[Req],
        reply: type[Rep],
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
    ) -> None: ...
    def __init__(
        self,
        name: str,
        request: type[Req] | None = None,
        reply: type[Rep] | None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
    ) -> None:
        super().__init__(name, request, reply, timeout=timeout, wait=wait, strict=False)

    def stop(self) -> None:
        """Lets `serve` finish the call it is in and return. May be called from another thread or a signal handler."""
        self._connect().stop()

    def serve(
        self,
        handler: Callable[[Req, Rep], object],
        *,
        mutates_request: bool = False,
        max_batch: int = 1,
        max_wait: float = 0.0,
        gather: Gather = "auto",
    ) -> None:
        """Answers calls until `stop`, or until the host is gone.

        The handler is called with a run of requests and a run of replies to fill, under ``torch.inference_mode()`` when
        torch has been imported. Its exception reaches every caller of the run as `Remote`. The arguments are those of
        `service`; runs get long only in a service that is hosted with ``ring_order``, as `serve` does it.
        """
        port = self._connect()
        classes: tuple[type[Req], type[Rep]] = (self._request, self._reply)  # type: ignore[assignment]
        check = not mutates_request and os.environ.get(CHECK, "0") not in ("", "0")
        with _InferenceMode() as inference:
            calls = _Calls(self.name, port, partial(_checked, handler) if check else handler, inference.follow_imports)
            while True:
                try:
                    return port.serve((max_batch, max_wait, gather), classes, calls)
                except _core.Corrupt as error:
                    # A peer garbled one slot. Its caller was told if it can be; the other slots are whole.
                    print(f"tensorbridge: a request is skipped: {error}", file=sys.stderr)
                except _core.HostDied:
                    return


@dataclass
class _Calls:
    """What the extension calls."""

    name: str
    port: _core.Server
    handle: Callable[[Any, Any], object]
    enter_inference: Callable[[], bool]

    def handle_traced(self, asked: Record, filled: Record) -> None:
        """As the handler, in a span."""
        with _trace.serving(self.name, asked._handle):
            self.handle(asked, filled)

    def fail(self, asked: Record, filled: Record, error: BaseException) -> None:
        """Tells the callers of an exception, and lets go of everything that it keeps alive."""
        # The frames of this package are no news to whoever wrote the handler.
        trace = error.__traceback__
        while trace is not None and trace.tb_frame.f_code.co_filename == __file__:
            trace = trace.tb_next
        failure = told(error.with_traceback(trace or error.__traceback__))
        _forget(error)
        self.port.fail(asked, filled, *failure)
        if isinstance(error, KeyboardInterrupt):
            # Somebody at the keyboard insists. Nothing else that a handler raises ends the worker.
            raise error


def _checked(handler: Callable[[Req, Rep], object], request: Req, reply: Rep) -> None:
    """Calls the handler, and fails when it wrote into its request."""
    before = request._handle.digests()
    handler(request, reply)
    after = request._handle.digests()
    written = [name for name, old, new in zip(request, before, after, strict=True) if old != new]
    if written:
        raise RuntimeError(
            f"the handler wrote into its request ({', '.join(written)}): another worker may have to answer it again, "
            "so work on a copy, or say mutates_request=True in @tb.service"
        )


def _forget(error: BaseException | None) -> None:
    """Clears the local variables of an exception's frames: a tensor among them would pin its slot."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        error = pending.pop()
        if error is None or id(error) in seen:
            continue
        seen.add(id(error))
        traceback.clear_frames(error.__traceback__)
        pending += [error.__cause__, error.__context__]
        if isinstance(error, BaseExceptionGroup):
            pending += error.exceptions


class _InferenceMode:
    """Torch's inference mode for as long as a worker serves, from when torch is imported."""

    def __init__(self) -> None:
        self._mode: Any = None

    def follow_imports(self) -> bool:
        """Whether it has been entered."""
        torch: Any = sys.modules.get("torch")
        # None stands for a module that must not be imported, and one that is being imported lacks its functions yet.
        if self._mode is None and hasattr(torch, "inference_mode"):
            self._mode = torch.inference_mode()
            self._mode.__enter__()
        return self._mode is not None

    def __enter__(self) -> _InferenceMode:
        self.follow_imports()
        return self

    def __exit__(self, *exception: object) -> None:
        if self._mode is not None:
            self._mode.__exit__(None, None, None)


def work(handler: Callable[[], Callable[[Any, Any], object]], spec: Spec, name: str) -> None:
    """The life of a worker process: makes the handler, attaches to the host `name`, answers until it is told to stop.

    SIGTERM and Ctrl-C let it finish the call it is in; a second one interrupts the call. It ends when the host does,
    even in the middle of a call.
    """
    server: Server[Any, Any] | None = None
    asked = False

    def stop(number: int, frame: types.FrameType | None) -> None:
        nonlocal asked
        if server is None:
            sys.exit(128 + number)
        server.stop()
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked = True

    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGINT):
            # A shell starts what runs in the background with Ctrl-C ignored; so it stays.
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, stop)
    answer = handler()
    try:
        server = Server(name, spec.request, spec.reply, timeout=MEETING)
    except _core.NotFound:
        sys.exit(f"tensorbridge: the host of {name!r} was gone before this worker was ready")
    with server:
        server._connect().follow_host(GRACE)
        server.serve(
            answer,
            mutates_request=spec.mutates_request,
            max_batch=spec.max_batch,
            max_wait=spec.max_wait,
            gather=spec.gather,
        )
