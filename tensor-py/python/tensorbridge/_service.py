"""What a service is: a plain class with a note of its records beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

from ._record import Record

C = TypeVar("C", bound=Callable[..., Any])

Gather = Literal["auto", "never", "always"]
"""What a server does about requests that are ready and do not lie side by side."""

NOTE = "__tensorbridge_service__"
"""The attribute in which a class keeps its `Spec`."""


@dataclass(frozen=True)
class Spec:
    """What `service` was told."""

    name: str
    request: type[Record]
    reply: type[Record]
    slots: int
    mutates_request: bool
    max_attempts: int
    max_batch: int
    max_wait: float
    gather: Gather
    slots_per_client: int | None


def check_least(least: int, **numbers: int) -> None:
    """Raises `ValueError` for the first number that is below `least`."""
    for name, number in numbers.items():
        if number < least:
            raise ValueError(f"{name} is at least {least}; found {number}")


def service(
    name: str,
    request: type[Record],
    reply: type[Record],
    *,
    slots: int = 16,
    mutates_request: bool = False,
    max_attempts: int = 3,
    max_batch: int = 1,
    max_wait: float = 0.0,
    gather: Gather = "auto",
    slots_per_client: int | None = None,
) -> Callable[[C], C]:
    """Says that a class answers the calls of a service. The class stays what it was.

    Its instances are made once per worker process and called with a run of requests and a run of replies to fill::

        @tb.service("resnet50", Image, Scores)
        class ResNet50:
            def __init__(self):
                self.model = load()

            def __call__(self, image, scores):  # image.pixels is [n, 3, 224, 224], also when n is 1
                scores.logits[:] = self.model(image.pixels.torch())

    A request is read-only and both records are released when the call returns. An exception reaches all callers of the
    run as `Remote`; the worker lives on. A worker that dies has its requests answered by another, each in a run
    of its own, so a handler may see a request twice.

    Args:
        name: 1 to 63 of ``a-z 0-9 _ .``, beginning with a letter.
        request: the class of the requests.
        reply: the class of the replies.
        slots: how many calls can exist at once; at least 2.
        mutates_request: the handler writes into requests; then no other worker repeats one whose worker died.
        max_attempts: how many workers may die with a request, each having taken it alone, before its caller gets
            `WorkerDied`.
        max_batch: the most requests of a run. Runs do not go beyond the last slot, so `slots` is best a multiple of it.
            A number that the handler sets for a symbolic dimension of the replies, ``scores.seq = 5``, is the length of
            all of them; ``scores.seq = [3, 5, 2]`` gives each its own. ``scores.fail(1, error)`` tells one caller alone.
        max_wait: the longest that a run is waited for to get longer, in seconds since its first request was sent.
        gather: whether requests that do not lie side by side, because a slot between them is still being filled, are copied
            together: ``"auto"`` where such holes leave a run below half of what is ready; ``"never"``; ``"always"``. The
            bytes are counted as ``hole`` by `tb.copied`.
        slots_per_client: how many slots each client may hold at once, so that one that has much to ask leaves some to the
            others; None for as many as there are.
    """
    for cls in (request, reply):
        if not (isinstance(cls, type) and issubclass(cls, Record)):
            raise TypeError(f"expected a tb.Record class, found {cls!r}")
    check_least(2, slots=slots)
    check_least(1, max_attempts=max_attempts, max_batch=max_batch)
    if not max_wait >= 0.0:
        raise ValueError(f"max_wait is a number of seconds, 0 or more; found {max_wait}")
    if slots_per_client is not None and slots_per_client < 1:
        raise ValueError(f"slots_per_client is at least 1, or None; found {slots_per_client}")
    if gather not in get_args(Gather):
        raise ValueError(f"gather is 'auto', 'never' or 'always'; found {gather!r}")
    spec = Spec(name, request, reply, slots, mutates_request, max_attempts, max_batch, max_wait, gather, slots_per_client)

    def note(handler: C) -> C:
        setattr(handler, NOTE, spec)
        return handler

    return note


def spec_of(handler: object) -> Spec:
    """The spec of a class that `service` decorated."""
    spec = getattr(handler, NOTE, None)
    if not isinstance(spec, Spec):
        raise TypeError(f"{handler!r} is no service: decorate it with @tb.service(name, Request, Reply)")
    return spec
