"""Senders, receivers and clients."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, Self, TypeVar, overload

from . import _core
from ._async import settled
from ._core import Metrics
from ._pins import Pin
from ._record import DEFAULT, Record, Timeout, _Default, class_of, is_importable

Wait = Literal["adaptive", "spin", "block"]
WhenFull = Literal["block", "reject", "drop_oldest"]
R = TypeVar("R", bound=Record)
Req = TypeVar("Req", bound=Record)
Rep = TypeVar("Rep", bound=Record)
P = TypeVar("P", bound="_core._Port")

SECONDS = 30.0
"""How long connecting, and every wait that names no timeout, may take unless the program says otherwise."""


class Endpoint(Generic[P]):
    """An endpoint that connects when it is made, or, when it came out of a pickle, when it is first used."""

    _kind: type[P]
    _port: P | None
    _closed = False

    def __init__(
        self,
        name: str,
        request: type[Record] | None,
        reply: type[Record] | None,
        *,
        timeout: float | None,
        wait: Wait,
        strict: bool,
        **terms: Any,
    ) -> None:
        for cls in (request, reply):
            if cls is not None and not (isinstance(cls, type) and issubclass(cls, Record)):
                raise TypeError(f"expected a tb.Record class, found {cls!r}")
        self.name = name
        """The name of the arena."""
        self._timeout = timeout
        self._wait = wait
        self._strict = strict
        self._terms = terms
        self._request = request
        self._reply = reply
        self._expected = tuple(cls.schema if cls is not None else None for cls in (request, reply))
        self._port = None
        self._connect()

    def _connect(self) -> P:
        if self._port is not None:
            return self._port
        if self._closed:
            raise _core.closed(self._kind.__name__)
        request, reply = self._expected
        port = self._kind(
            self.name,
            timeout=self.timeout,
            wait=self._wait,
            strict=self._strict,
            request=request,
            reply=reply,
            **self._terms,
        )
        self._request = self._request or class_of(port.request_schema)
        if port.reply_schema is not None:
            self._reply = self._reply or class_of(port.reply_schema)
        self._use(port)
        return port

    def _use(self, port: P) -> None:
        self._port = port

    def _seconds(self, timeout: Timeout) -> float | None:
        return self.timeout if isinstance(timeout, _Default) else timeout

    @property
    def timeout(self) -> float | None:
        """How long a wait lasts that names no timeout, in seconds; None for ever."""
        return self._timeout

    @property
    def slots(self) -> int:
        """How many records can exist at once."""
        return self._connect().slots

    def metrics(self) -> Metrics:
        """What has happened in the arena so far, in numbers, whoever did it."""
        return self._connect().metrics()

    def pins(self) -> list[Pin]:
        """Who holds slots at this moment."""
        return self._connect().pins()

    @property
    def connected(self) -> bool:
        """Whether it is open, and its host still lives."""
        return self._port is not None and self._port.connected

    def reconnect(self, *, timeout: Timeout = DEFAULT) -> None:
        """Connects to the next host of the same name, waiting for one; does nothing while the host lives.

        Records and aliases of the old host's arena that are still held stay valid.

        Raises:
            NotFound: nobody hosts the name within the timeout.
            SchemaMismatch: the new host's records are others.
        """
        port = self._connect()
        if port.connected:
            return
        again = port.again(self._seconds(timeout))
        if self._port is port:
            self._use(again)
        else:
            # Another thread was faster.
            again.close()

    @property
    def closed(self) -> bool:
        """Whether it was closed."""
        return self._closed

    def close(self) -> None:
        """Leaves the arena. Records and aliases that are held stay valid; the memory goes with the last of them."""
        self._closed = True
        if self._port is not None:
            self._port.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        state = "closed " if self.closed else ""
        return f"<{state}{type(self).__name__} of {self.name!r}>"

    def __getstate__(self) -> dict[str, Any]:
        """A name and what is expected there: whoever unpickles it connects for itself."""
        if self.closed:
            raise ValueError(f"a closed {type(self).__name__} cannot be pickled")
        port = self._connect()
        classes = (self._request, self._reply)
        return {
            "name": self.name,
            "timeout": self.timeout,
            "wait": self._wait,
            "strict": self._strict,
            "terms": self._terms,
            "expected": (port.request_schema, port.reply_schema),
            "classes": [cls if cls is not None and is_importable(cls) else None for cls in classes],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.name = state["name"]
        self._timeout = state["timeout"]
        self._wait = state["wait"]
        self._strict = state["strict"]
        self._terms = state["terms"]
        self._expected = state["expected"]
        self._request, self._reply = state["classes"]
        self._port = None


class Sender(Endpoint[_core.Sender], Generic[R]):
    """Sends records, one way.

    Args:
        name: what the host calls the channel.
        record: the class of its records; without it, one is made from the schema that travels in the arena.
        timeout: seconds that connecting, and a loan, may take; None for ever.
        wait: ``"adaptive"`` spins a little and then sleeps; ``"spin"`` never sleeps; ``"block"`` sleeps at once.
        strict: sending while an alias of a field lives is an error.
        when_full: what a loan does when no slot is free. ``"block"`` waits, and raises `Full` after the timeout; ``"reject"``
            raises `Full` at once; ``"drop_oldest"`` drops the record that was sent first, of those that nobody has
            received yet, and uses its slot.

    Raises:
        NotFound: nobody hosts the name within the timeout.
        SchemaMismatch: its records are others.
        WrongKind: it is a service.

    ::

        with tb.Sender("camera", Image) as sender:
            with sender.loan() as image:
                image.pixels = planes
                image.send()
            sender.send(pixels=planes, id=7)
    """

    _kind = _core.Sender

    @overload
    def __init__(
        self: Sender[Any],
        name: str,
        record: None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
        when_full: WhenFull = "block",
    ) -> None: ...
    @overload
    def __init__(
        self,
        name: str,
        record: type[R],
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
        when_full: WhenFull = "block",
    ) -> None: ...
    def __init__(
        self,
        name: str,
        record: type[R] | None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
        when_full: WhenFull = "block",
    ) -> None:
        super().__init__(name, record, None, timeout=timeout, wait=wait, strict=strict, when_full=when_full)

    @property
    def dropped(self) -> int:
        """How many records it has dropped for newer ones: with ``when_full="drop_oldest"`` alone."""
        return self._connect().dropped

    def loan(self, *, timeout: Timeout = DEFAULT) -> R:
        """A slot to fill. As a context manager it is given back at the end of the block, if it was not sent.

        Raises:
            Full: no slot is free within the timeout, or at once with ``when_full="reject"``; `holders` says who has them.
        """
        return self._connect().loan(self._seconds(timeout), self._request)  # type: ignore[arg-type, return-value]

    async def loan_async(self, *, timeout: Timeout = DEFAULT) -> R:
        """As `loan`, awaited. Those that ask first have their slot first; a task that is cancelled keeps none."""
        handle = await settled(partial(self._connect().loan_async, self._seconds(timeout)))
        return self._request._wrap(handle)  # type: ignore[union-attr, return-value]

    def try_loan(self) -> R | None:
        """A slot to fill, if one is free now."""
        return self._connect().try_loan(self._request)  # type: ignore[arg-type, return-value]

    def send(self, *, timeout: Timeout = DEFAULT, **values: Any) -> None:
        """Loans a slot, assigns the values to its fields and dimensions, and sends it."""
        with self.loan(timeout=timeout) as record:
            record.set(**values).send()


class Receiver(Endpoint[_core.Receiver], Generic[R]):
    """Receives records, one way. Several receivers share the records; each goes to one of them.

    A record received is read-only. Its slot is used again after it, and the last alias of its fields, are gone.
    Iterating, with ``for`` or ``async for``, receives until the host is gone. The arguments are those of `Sender`, but for
    `when_full`.

    ::

        with tb.Receiver("camera", Image) as receiver:
            for image in receiver:
                show(image.pixels.numpy())
    """

    _kind = _core.Receiver

    @overload
    def __init__(
        self: Receiver[Any],
        name: str,
        record: None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
    ) -> None: ...
    @overload
    def __init__(
        self,
        name: str,
        record: type[R],
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
    ) -> None: ...
    def __init__(
        self,
        name: str,
        record: type[R] | None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
    ) -> None:
        super().__init__(name, record, None, timeout=timeout, wait=wait, strict=strict)

    def receive(self, *, timeout: Timeout = DEFAULT) -> R:
        """The record that was sent first.

        Raises:
            Timeout: there is none within the timeout.
            HostDied: the host is gone and no record is left.
        """
        return self._connect().receive(self._seconds(timeout), self._request)  # type: ignore[arg-type, return-value]

    async def receive_async(self, *, timeout: Timeout = DEFAULT) -> R:
        """As `receive`, awaited. A task that is cancelled takes no record with it."""
        handle = await settled(partial(self._connect().receive_async, self._seconds(timeout)))
        return self._request._wrap(handle)  # type: ignore[union-attr, return-value]

    def try_receive(self) -> R | None:
        """The record that was sent first, if there is one now."""
        return self._connect().try_receive(self._request)  # type: ignore[arg-type, return-value]

    def receive_many(self, max: int, *, timeout: Timeout = DEFAULT) -> R:
        """Up to `max` records as one run, without a copy.

        Waits for the record that was sent first, and takes with it what is ready then and lies beside it in memory. Each
        field has one more dimension in front, also when there is one record::

            batch = receiver.receive_many(32)
            batch.pixels.torch()  # [n, 3, 224, 224], one tensor on shared memory
            batch.records  # n
            batch.row(0)  # a record alone

        Each sender's records are in the order sent. Symbolic dimensions have the longest length of the run; what lies beyond
        a record's own is filled with the field's pad, and ``batch.dims`` has every record's lengths. An optional field is
        None when no record has it; when only some have it, say what stands for it: ``batch.mask.filled(0)``.

        One alias keeps the slots of the whole run. Runs are longest in a `Channel` with ``ring_order=True``.

        Raises:
            Timeout: there is none within the timeout.
            HostDied: the host is gone and no record is left.
        """
        return self._connect().receive_many(max, self._seconds(timeout), self._request)  # type: ignore[arg-type, return-value]

    def try_receive_many(self, max: int) -> R | None:
        """Up to `max` records as one run, if there are any now."""
        return self._connect().try_receive_many(max, self._request)  # type: ignore[arg-type, return-value]

    def batches(self, max: int) -> Iterator[R]:
        """Runs of up to `max` records, until the host is gone."""
        try:
            while True:
                yield self.receive_many(max, timeout=None)
        except _core.HostDied:
            return

    def __iter__(self) -> Iterator[R]:
        try:
            while True:
                yield self.receive(timeout=None)
        except _core.HostDied:
            return

    async def __aiter__(self) -> AsyncIterator[R]:
        try:
            while True:
                yield await self.receive_async(timeout=None)
        except _core.HostDied:
            return


class Client(Endpoint[_core.Client], _core.Loans, Generic[Req, Rep]):
    """Calls a service.

    Args:
        name: what the host calls the service.
        request: the class of its requests; without it, one is made from the schema that travels in the arena.
        reply: the class of its replies, likewise.
        timeout: seconds that connecting, a loan, and a call may take; None for ever.
        wait: ``"adaptive"`` spins a little and then sleeps; ``"spin"`` never sleeps; ``"block"`` sleeps at once.
        strict: calling while an alias of a field lives is an error.
        when_full: what a loan does when no slot is free. ``"block"`` waits, and raises `Full` after the timeout; ``"reject"``
            raises `Full` at once.
        max_slots: how many slots this client holds at once: loans, calls under way, and replies that are kept. A loan beyond
            that is as one when no slot is free. None for as many as there are; the service may allow each client fewer.

    Raises:
        NotFound: nobody hosts the name within the timeout.
        SchemaMismatch: its records are others.
        WrongKind: it is a one-way channel, or `when_full` would drop requests.

    It may be used from several threads at once, and pickled: the process that unpickles it connects for itself.

    ::

        with tb.Client("resnet50", Image, Scores, timeout=5.0) as client:
            with client.loan() as image:
                image.pixels = planes
                scores = image.call()
            scores = client.call(pixels=planes, id=7)
    """

    _kind = _core.Client

    @overload
    def __init__(
        self: Client[Any, Any],
        name: str,
        request: None = None,
        reply: None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
        when_full: Literal["block", "reject"] = "block",
        max_slots: int | None = None,
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
        strict: bool = False,
        when_full: Literal["block", "reject"] = "block",
        max_slots: int | None = None,
    ) -> None: ...
    def __init__(
        self,
        name: str,
        request: type[Req] | None = None,
        reply: type[Rep] | None = None,
        *,
        timeout: float | None = SECONDS,
        wait: Wait = "adaptive",
        strict: bool = False,
        when_full: Literal["block", "reject"] = "block",
        max_slots: int | None = None,
    ) -> None:
        super().__init__(
            name,
            request,
            reply,
            timeout=timeout,
            wait=wait,
            strict=strict,
            when_full=when_full,
            max_slots=max_slots,
        )

    def _use(self, port: _core.Client) -> None:
        super()._use(port)
        assert self._request is not None and self._reply is not None, "a service has both"
        self._loan_from(port, self._request, self._reply)

    if TYPE_CHECKING:

        def loan(self, *, timeout: Timeout = DEFAULT) -> Req:
            """A slot to fill. As a context manager it is given back at the end of the block, if it was not called with.

            Args:
                timeout: seconds to wait for a slot, None for ever; the client's own unless stated.

            Raises:
                Full: no slot is free within the timeout, or at once with ``when_full="reject"``; `holders` says who has them,
                    and `budget` is `max_slots` when this client itself holds as many as it may.
            """

        def try_loan(self) -> Req | None:
            """A slot to fill, if one is free now."""

    async def loan_async(self, *, timeout: Timeout = DEFAULT) -> Req:
        """As `loan`, awaited. Those that ask first have their slot first; a task that is cancelled keeps none."""
        handle = await settled(partial(self._connect().loan_async, self._seconds(timeout)))
        return self._request._wrap(handle, self._reply)  # type: ignore[union-attr, return-value]

    def call(
        self,
        request: Req | None = None,
        *,
        timeout: Timeout = DEFAULT,
        traceparent: str | None = None,
        **values: Any,
    ) -> Rep:
        """Calls with a loan, or with values for the fields and dimensions of a new one; gives the reply.

        The timeout is that of the whole call, waiting for a slot included. The worker sees `traceparent`, or that of the current OpenTelemetry span, as its request's.

        Raises:
            Full: every slot is in use for the whole timeout.
            Remote: the worker's code raised an exception.
            Timeout, HostDied, WorkerDied: nobody answered.
            MissingField, DimUnset, WrongDType, WrongShape, UnknownField: the values make no request.
        """
        if request is not None:
            reply: Rep = request.set(**values).call(timeout=timeout, traceparent=traceparent)
            return reply
        seconds = self._seconds(timeout)
        loan = self.try_loan()
        if loan is None:
            began = time.monotonic()
            loan = self.loan(timeout=seconds)
            seconds = _left(seconds, began)
        with loan as record:
            reply = record.set(**values).call(timeout=seconds, traceparent=traceparent)
            return reply

    async def call_async(
        self,
        request: Req | None = None,
        *,
        timeout: Timeout = DEFAULT,
        traceparent: str | None = None,
        **values: Any,
    ) -> Rep:
        """As `call`, awaited: any number of calls can be under way in one thread, as many as there are slots.

        A task that is cancelled leaves its call: the slot comes back when the worker lets go of it. Closing the client
        ends calls under way with `Closed`. A reply holds its slot, so gather what you need of it, and not the reply,
        when there are more calls than slots.

        ::

            async def best(image):
                return (await client.call_async(pixels=image)).logits.numpy().argmax()

            print(await asyncio.gather(*(best(image) for image in images)))
        """
        if request is not None:
            reply: Rep = await request.set(**values).call_async(timeout=timeout, traceparent=traceparent)
            return reply
        seconds, began = self._seconds(timeout), time.monotonic()
        with await self.loan_async(timeout=seconds) as record:
            left = _left(seconds, began)
            reply = await record.set(**values).call_async(timeout=left, traceparent=traceparent)
            return reply


def _left(seconds: float | None, began: float) -> float | None:
    """What is left of a timeout."""
    return None if seconds is None else max(0.0, seconds - (time.monotonic() - began))
