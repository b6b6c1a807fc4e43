"""What has happened in an arena, in numbers, seen from outside."""

from __future__ import annotations

from os import PathLike
from typing import NamedTuple, Self

from . import _core
from ._core import Metrics
from ._describe import SECONDS


class Recoveries(NamedTuple):
    """What a host has done for participants that died."""

    deaths: int
    """Participants that died while they were attached."""
    redelivered: int
    """Records that a dead receiver or worker had taken and that were handed out again."""
    given_up: int
    """Requests that a dead worker had taken and that nobody else may answer: their callers got `WorkerDied`."""


def metrics(name: str, *, timeout: float | None = SECONDS) -> Metrics:
    """What has happened in the arena called `name` so far: calls, errors, batch sizes, times. Takes no slot of it.

    Participants count while they work; reading disturbs nobody. What happened meanwhile is a difference::

        before = tb.metrics("resnet50")
        time.sleep(1)
        now = tb.metrics("resnet50").since(before)
        print(now.per_second(now.answered), now.served.quantile(0.99), now.runs.mean)

    Args:
        name: what its host calls it.
        timeout: seconds to look for the host; None for ever.

    Raises:
        NotFound: nobody hosts the name within the timeout.
        Timeout: the host is there and does not answer.
    """
    return _core.metrics(name, timeout)


class Probe:
    """A thread that appends what happens in an arena to a file, as a stream of JSON lines, until it is stopped.

    Each line is one object: that of `Metrics.to_json` for the sliding window that ends then, with this process's ``pid``,
    ``sent_per_second``, ``answered_per_second``, and under ``memory_bytes`` what is resident: ``rss`` and ``pss`` of this
    process, ``arena_size``, and of the arena ``arena_rss`` and ``arena_pss``. While nobody hosts the arena nothing is written.
    ``TENSORBRIDGE_PROBE=FILE`` in the environment does the same for every arena that a process hosts or connects to.

    Args:
        name: what the arena's host calls it.
        path: the file, which is made when it is missing. Each line is one write: several processes may share a file.
        interval: seconds from one line to the next.
        window: seconds that each line is about.

    ::

        with tb.Probe("resnet50", "resnet50.jsonl"):
            run_the_load_test()
    """

    def __init__(
        self, name: str, path: str | PathLike[str], *, interval: float = 0.1, window: float = 1.0
    ) -> None:
        self._probe = _core.Probe(name, path, interval, window)

    def stop(self) -> None:
        """Ends the stream.

        Raises:
            Io: a line could not be written, with which the stream ended.
        """
        self._probe.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *exception: object) -> None:
        try:
            self.stop()
        except _core.Io:
            # What went wrong in the block says more than what became of its record.
            if kind is None:
                raise
