"""Serving: one process hosts, and starts the workers, which run the model."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import types
from collections.abc import Callable
from typing import Any

from . import _core
from ._host import Service
from ._service import Spec, spec_of
from ._worker import GRACE as LEFT_ALONE
from ._worker import work

SERVICE = "TENSORBRIDGE_SERVICE"
"""Names the host that a worker belongs to. Whoever starts a worker sets it."""

SUPERVISOR = "TENSORBRIDGE_SUPERVISOR"
"""Leads a worker to the process that started it, which it must not outlive."""

LOOK = 0.1
"""Seconds between two looks at the workers."""


def serve(
    handler: Callable[[], Callable[[Any, Any], object]],
    *,
    workers: int = 1,
    name: str | None = None,
    slots: int | None = None,
    restarts: int | None = 10,
    backoff: float = 0.1,
    grace: float = 5.0,
    start_timeout: float = 180.0,
) -> None:
    """Serves a class that `service` decorated, until SIGTERM or Ctrl-C.

    This process hosts the service and runs no code of the class. The workers are new processes that run the same
    command line, in which `serve` answers calls instead of returning at once; so guard it with ``if __name__ ==
    "__main__":``. In a process that a Rust program, or another `serve`, started as a worker, it only answers.

    A worker that ends is started again, and another one answers what it had taken. One that ends of its own accord
    before it ever was ready is not. When this process ends, however that is, its workers end.

    Args:
        handler: the class; it is called without arguments, once in each worker.
        workers: how many worker processes.
        name: another name than the decorator's.
        slots: another number of slots than the decorator's.
        restarts: how often a worker is started again, one end within 10 s of being ready after the other; 0 for
            never, None for however often.
        backoff: seconds before the first restart; doubles with each, up to 100 times as long.
        grace: seconds that a worker may take to finish its call when it is asked to stop.
        start_timeout: seconds that a worker may take until it is ready.

    Raises:
        WorkerExited: a worker could not start, or none is left.
        NameTaken: a living process hosts the name.
    """
    spec = spec_of(handler)
    host = os.environ.pop(SERVICE, None)
    if host is not None:
        supervisor = os.environ.pop(SUPERVISOR, None)
        if supervisor is not None and not _core.follow_supervisor(supervisor, LEFT_ALONE):
            sys.exit(f"tensorbridge: the host of {host!r} was gone before this worker was ready")
        work(handler, spec, host)
        return
    if workers < 1:
        raise ValueError(f"a service needs at least 1 worker; found {workers}")
    with Service(
        spec.name if name is None else name,
        spec.request,
        spec.reply,
        slots=spec.slots if slots is None else slots,
        mutates_request=spec.mutates_request,
        max_attempts=spec.max_attempts,
        slots_per_client=spec.slots_per_client,
        ring_order=spec.max_batch > 1,
    ) as service:
        command = _command()

        def start() -> _core.Worker:
            return service._start(command, restarts, backoff, grace, start_timeout)

        _Crew(service, start, workers).run()


def _command() -> list[str]:
    """The command line of this process, to be run again."""
    arguments = sys.orig_argv[1:]
    if not arguments or not sys.argv or sys.argv[0] == "":
        raise RuntimeError(
            "tb.serve starts its workers by running this program again, and an interactive session cannot be: put the "
            "class into a file and run `python -m tensorbridge serve file:Class`"
        )
    return [sys.executable, *arguments]


class _Crew:
    """The workers of one service."""

    def __init__(self, service: Service, start: Callable[[], _core.Worker], wanted: int) -> None:
        self.service = service
        self.start = start
        self.workers: list[_core.Worker] = []
        self.wanted = wanted
        self.stopping = False

    def run(self) -> None:
        """Starts them and waits until they are to stop, or are gone."""
        with _Signals(self.stop):
            try:
                for _ in range(self.wanted):
                    self.workers.append(self.start())
                while not self.stopping and not all(health.state == "ready" for health in self.service.workers()):
                    self._raise_failure(any)
                    time.sleep(LOOK / 10)
                if not self.stopping:
                    count = f"{self.wanted} worker{'s' if self.wanted > 1 else ''}"
                    print(f"tensorbridge: serving {self.service.name!r} with {count}", file=sys.stderr, flush=True)
                while not self.stopping:
                    self._raise_failure(all)
                    time.sleep(LOOK)
            finally:
                # While a second signal is still no news.
                self.service.close()

    def stop(self) -> None:
        self.stopping = True

    def _raise_failure(self, of: Callable[[list[bool]], bool]) -> None:
        failures = [worker.failure() for worker in self.workers]
        if of([failure is not None for failure in failures]):
            raise next(failure for failure in failures if failure is not None)


class _Signals:
    """SIGTERM and Ctrl-C call a function, for as long as the block lasts."""

    NUMBERS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self, then: Callable[[], None]) -> None:
        self.then = then
        self.before: dict[int, Any] = {}

    def __enter__(self) -> None:
        def handle(number: int, frame: types.FrameType | None) -> None:
            self.then()

        # Only the main thread may set handlers; elsewhere the program has its own way to stop.
        if threading.current_thread() is threading.main_thread():
            for number in self.NUMBERS:
                # A shell starts what runs in the background with Ctrl-C ignored; so it stays.
                if signal.getsignal(number) != signal.SIG_IGN:
                    self.before[number] = signal.signal(number, handle)

    def __exit__(self, *exception: object) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)


__all__ = ["Spec", "serve"]
