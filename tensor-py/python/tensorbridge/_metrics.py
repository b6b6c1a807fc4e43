"""What has happened in an arena, in numbers, seen from outside."""

from __future__ import annotations

from typing import NamedTuple

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
