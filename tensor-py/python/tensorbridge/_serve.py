"""Serving: one process hosts, and starts the workers, which run the model."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import threading
import time
import types
from collections.abc import Callable, Sequence
from typing import Any

from . import _core
from ._host import Service
from ._service import Spec, spec_of
from ._worker import work

SERVICE = "TENSORBRIDGE_SERVICE"
"""Names the host that a worker belongs to. Whoever starts a worker sets it."""

GRACE = 5.0
"""Seconds that a worker may take to finish its call when it is asked to stop."""

LOOK = 0.1
"""Seconds between two looks at what cannot be waited for."""


def serve(
    handler: Callable[[], Callable[[Any, Any], object]],
    *,
    workers: int = 1,
    name: str | None = None,
    slots: int | None = None,
) -> None:
    """Serves a class that `service` decorated, until SIGTERM or Ctrl-C.

    This process hosts the service and runs no code of the class. The workers are new processes that run the same
    command line, in which `serve` answers calls instead of returning at once; so guard it with ``if __name__ ==
    "__main__":``. In a process that a Rust program, or another `serve`, started as a worker, it only answers.

    Args:
        handler: the class; it is called without arguments, once in each worker.
        workers: how many worker processes.
        name: another name than the decorator's.
        slots: another number of slots than the decorator's.

    Raises:
        WorkerExited: a worker could not start, or none is left.
        NameTaken: a living process hosts the name.
    """
    spec = spec_of(handler)
    host = os.environ.pop(SERVICE, None)
    if host is not None:
        work(handler, spec, host)
        return
    if workers < 1:
        raise ValueError(f"a service needs at least 1 worker; found {workers}")
    with Service(
        name or spec.name,
        spec.request,
        spec.reply,
        slots=slots or spec.slots,
        mutates_request=spec.mutates_request,
        max_attempts=spec.max_attempts,
    ) as service:
        _Crew(service, _command(), workers).run()


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

    def __init__(self, service: Service, command: Sequence[str], workers: int) -> None:
        self.service = service
        self.command = list(command)
        self.workers: list[subprocess.Popen[bytes]] = []
        self.wanted = workers
        self.stopping = False

    def run(self) -> None:
        """Starts them and waits until they are to stop, or are gone."""
        with _Signals(self.stop):
            try:
                for _ in range(self.wanted):
                    self.workers.append(self._spawn())
                if self._start():
                    count = f"{self.wanted} worker{'s' if self.wanted > 1 else ''}"
                    print(f"tensorbridge: serving {self.service.name!r} with {count}", file=sys.stderr, flush=True)
                    self._watch()
            finally:
                self._end()

    def stop(self) -> None:
        self.stopping = True

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self.command,
            env={**os.environ, SERVICE: self.service.name},
            stdin=subprocess.DEVNULL,
            # A Ctrl-C at the terminal is for this process, which ends the workers in good order.
            process_group=0,
        )

    def _start(self) -> bool:
        """Waits until every worker is ready; whether they are to go on."""
        starting = list(self.workers)
        while starting and not self.stopping:
            for worker in list(starting):
                status = worker.poll()
                if status is not None and not self.stopping:
                    raise self._exited(f"ended before it was ready ({_how(status)}); its output says why")
                if self.service._host.is_attached(worker.pid):
                    starting.remove(worker)
            time.sleep(LOOK / 10)
        return not self.stopping

    def _watch(self) -> None:
        """Returns when the workers are to stop."""
        living = list(self.workers)
        poll = select.poll()
        watched = {os.pidfd_open(worker.pid): worker for worker in living}
        try:
            for descriptor in watched:
                poll.register(descriptor, select.POLLIN)
            while not self.stopping:
                for descriptor, _ in poll.poll(1000 * LOOK):
                    poll.unregister(descriptor)
                    worker = watched[descriptor]
                    living.remove(worker)
                    reason = f"ended ({_how(worker.wait())})"
                    if not living:
                        raise self._exited(f"{reason} and none is left")
                    print(f"tensorbridge: worker {worker.pid} {reason}; {len(living)} left", file=sys.stderr)
        finally:
            for descriptor in watched:
                os.close(descriptor)

    def _end(self) -> None:
        """Lets the workers finish what they do, and ends those that do not."""
        for worker in self.workers:
            if worker.poll() is None:
                worker.terminate()
        deadline = time.monotonic() + GRACE
        for worker in self.workers:
            try:
                worker.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                print(f"tensorbridge: worker {worker.pid} does not stop and is killed", file=sys.stderr)
                worker.kill()
                worker.wait()

    def _exited(self, reason: str) -> _core.Error:
        return _core.worker_exited(" ".join(self.command), reason)


def _how(status: int) -> str:
    """How a process ended, in words."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"killed by {signal.Signals(-status).name}"
    except ValueError:
        return f"killed by signal {-status}"


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
