"""Hosting an arena: its memory exists for as long as somebody uses it, its name for as long as the host lives."""

from __future__ import annotations

import atexit
import time
import weakref
from collections.abc import Sequence
from typing import Final, NamedTuple, Self

from . import _core
from ._core import Metrics
from ._pins import Pin
from ._record import Record
from ._service import check_least


_LIVE: Final[weakref.WeakSet[Host]] = weakref.WeakSet()


@atexit.register
def _leave() -> None:
    """Gives the names back when the interpreter ends: it forgets what the frames of daemon threads still lead to.

    Nothing is closed, so that no thread that waits is told of an end that it could only complain about.
    """
    for host in list(_LIVE):
        host._host.leave()


SECONDS = 5.0
"""How long another process that is taking the same name is waited for unless the program says otherwise."""

LOOK = 0.01
"""Seconds between two looks at a worker that starts."""


class WorkerHealth(NamedTuple):
    """How a worker is doing that this process started."""

    state: str
    """``starting``, ``ready``, ``restarting``, ``stopping`` or ``stopped``."""
    pid: int | None
    """Its process, or its last one."""
    restarts: int
    """How often it was started again."""
    last_end: str | None
    """How its last process ended, if one has."""


class Host:
    """What both kinds of host offer. It is not pickled: a name has one host."""

    def __init__(self, name: str, host: _core.Host) -> None:
        self.name = name
        """The name of the arena."""
        self._host = host
        _LIVE.add(self)

    @property
    def free_slots(self) -> int:
        """How many slots nobody holds at this moment."""
        return self._host.free_slots

    def metrics(self) -> Metrics:
        """What has happened in the arena so far, in numbers."""
        return self._host.metrics()

    def pins(self) -> list[Pin]:
        """Who holds slots at this moment."""
        return self._host.pins()

    def close(self) -> None:
        """Gives the name back and ends every wait with `HostDied`. Records that somebody holds stay valid."""
        self._host.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{'closed ' if self._host.closed else ''}{type(self).__name__} {self.name!r}>"


class Channel(Host):
    """Hosts a one-way channel: `Sender` and `Receiver` meet there.

    Args:
        name: 1 to 63 of ``a-z 0-9 _ .``, beginning with a letter.
        record: the class of its records.
        slots: how many records can exist at once; at least 2.
        sparse: memory comes into being when it is touched, instead of all at once now.
        ring_order: records sent one after the other lie side by side, so that `Receiver.receive_many` gets them together;
            otherwise a loan prefers a slot whose memory is warm.
        timeout: seconds to wait for another process that is just taking the same name, which may be stopped.

    Raises:
        NameTaken: a living process hosts the name.
        NameBusy: another process was taking the name for the whole timeout.
        InvalidSlots: there are fewer than 2, or more than there can be.
        OutOfMemory: the records do not fit.

    ::

        with tb.Channel("camera", Image, slots=8):
            ...
    """

    def __init__(
        self,
        name: str,
        record: type[Record],
        *,
        slots: int = 16,
        sparse: bool = False,
        ring_order: bool = False,
        timeout: float | None = SECONDS,
    ) -> None:
        super().__init__(
            name,
            _core.Host(
                name, record.schema, slots=slots, sparse=sparse, ring_order=ring_order, timeout=timeout
            ),
        )


class Service(Host):
    """Hosts a service. Its workers are started with `spawn`, or by somebody else; `serve` does all of it.

    Args:
        name: 1 to 63 of ``a-z 0-9 _ .``, beginning with a letter.
        request: the class of its requests.
        reply: the class of its replies.
        slots: how many calls can exist at once; at least 2.
        sparse: memory comes into being when it is touched, instead of all at once now.
        mutates_request: workers write into requests; a call whose worker dies is then not repeated.
        max_attempts: how many workers may die with a request before its caller gets `WorkerDied`.
        slots_per_client: how many slots each client may hold at once, so that one that has much to ask leaves some to the
            others; None for as many as there are.
        ring_order: concurrent requests lie side by side, so that a server gets them together; otherwise a loan prefers a
            slot whose memory is warm.
        timeout: seconds to wait for another process that is just taking the same name, which may be stopped.

    Raises:
        NameTaken: a living process hosts the name.
        NameBusy: another process was taking the name for the whole timeout.
        InvalidSlots: there are fewer than 2, or more than there can be.
        OutOfMemory: the records do not fit.
    """

    def __init__(
        self,
        name: str,
        request: type[Record],
        reply: type[Record],
        *,
        slots: int = 16,
        sparse: bool = False,
        mutates_request: bool = False,
        max_attempts: int = 3,
        slots_per_client: int | None = None,
        ring_order: bool = False,
        timeout: float | None = SECONDS,
    ) -> None:
        check_least(2, slots=slots)
        check_least(1, max_attempts=max_attempts)
        host = _core.Host(
            name,
            request.schema,
            reply.schema,
            slots=slots,
            sparse=sparse,
            mutates_request=mutates_request,
            max_attempts=max_attempts,
            slots_per_client=slots_per_client,
            ring_order=ring_order,
            timeout=timeout,
        )
        super().__init__(name, host)
        self._workers: list[_core.Worker] = []

    def spawn(
        self,
        command: Sequence[str],
        *,
        restarts: int | None = 10,
        backoff: float = 0.1,
        grace: float = 5.0,
        start_timeout: float = 180.0,
    ) -> None:
        """Starts a worker, a program that ends in ``tb.serve(...)``, and returns once it can answer.

        It is started again when it ends, and stopped when this service is closed. The times and numbers are those of
        `serve`.

        Raises:
            WorkerExited: it cannot be started, or ends of its own accord before it is ready.
        """
        worker = self._start(command, restarts, backoff, grace, start_timeout)
        while (health := worker.health()) is not None and health[0] != "ready":
            failure = worker.failure()
            if failure is not None:
                self._workers.remove(worker)
                worker.stop()
                raise failure
            time.sleep(LOOK)

    def _start(
        self, command: Sequence[str], restarts: int | None, backoff: float, grace: float, start_timeout: float
    ) -> _core.Worker:
        worker = self._host.start(command, restarts, backoff, grace, start_timeout)
        self._workers.append(worker)
        return worker

    def workers(self) -> list[WorkerHealth]:
        """How the workers are doing that this process started."""
        return [WorkerHealth(*health) for health in self._host.workers()]

    def close(self) -> None:
        # All at once, and then one after the other.
        for worker in self._workers:
            worker.ask_to_stop()
        while self._workers:
            self._workers.pop().stop()
        super().close()
