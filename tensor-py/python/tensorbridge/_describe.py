"""What an arena is and how it is doing, seen from outside."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

from . import _core, _show
from ._core import Schema
from ._pins import Holder, Pin

SECONDS = 1.0
"""How long `describe` looks for the host unless the program says otherwise."""


class Participant(NamedTuple):
    """A process that is attached to an arena. A process is listed once for each of its endpoints."""

    pid: int
    """The process."""
    role: str
    """``host``, ``sender``, ``receiver``, ``client``, ``server``, or ``observer``, who only looks."""


class Phases(NamedTuple):
    """How many slots are in each phase."""

    free: int
    """Nobody's."""
    loaned: int
    """A sender or client fills them."""
    ready: int
    """Sent and not received yet."""
    taken: int
    """A receiver or server works on them."""
    done: int
    """Received or answered; replies that are read, and aliases, keep them."""


@dataclass(frozen=True, repr=False)
class Description:
    """What an arena is and how it was doing at one moment. Made by `describe`."""

    name: str
    """The name of the arena."""
    kind: Literal["channel", "service"]
    """Whether records go one way or are answered."""
    request: Schema
    """What its records are; of a service, its requests."""
    reply: Schema | None
    """What a service's replies are; None for a channel."""
    slots: int
    """How many records can exist at once."""
    phases: Phases
    """What the slots are doing."""
    host_pid: int
    """The process that hosts it."""
    epoch: str
    """32 hexadecimal digits that tell this arena from any other of the same name."""
    participants: tuple[Participant, ...]
    """Who is attached, the host first; whoever asked is left out."""
    holders: tuple[Holder, ...]
    """Who holds slots, most first."""
    pins: tuple[Pin, ...]
    """Each hold on a slot."""
    bytes: int
    """Bytes of shared memory in all."""
    request_bytes: int
    """Bytes of one record or request: all its fields, symbolic dimensions at their capacity."""
    reply_bytes: int
    """Bytes of one reply; 0 for a channel."""
    sparse: bool
    """Whether memory comes into being when it is touched."""
    mutates_request: bool
    """Whether workers may write into requests, so that a call whose worker dies is not repeated."""
    ring_order: bool
    """Whether loans go round the ring of slots, as batching wants."""
    _module: str = field(repr=False, compare=False)

    @classmethod
    def _of(cls, **parts: Any) -> Description:
        parts["phases"] = Phases(*parts["phases"])
        parts["participants"] = tuple(Participant(*each) for each in parts["participants"])
        parts["holders"] = tuple(parts["holders"])
        parts["pins"] = tuple(parts["pins"])
        return cls(**parts)

    def python_module(self) -> str:
        """A Python module that declares the arena's records: what ``python -m tensorbridge stubs NAME`` writes."""
        return self._module

    def as_dict(self) -> dict[str, Any]:
        """The same as dicts, lists, strings and numbers, for JSON."""
        return {
            "name": self.name,
            "kind": self.kind,
            "request": _schema_dict(self.request),
            "reply": None if self.reply is None else _schema_dict(self.reply),
            "slots": self.slots,
            "phases": self.phases._asdict(),
            "host_pid": self.host_pid,
            "epoch": self.epoch,
            "participants": [each._asdict() for each in self.participants],
            "holders": [each._asdict() for each in self.holders],
            "pins": [each._asdict() for each in self.pins],
            "bytes": self.bytes,
            "request_bytes": self.request_bytes,
            "reply_bytes": self.reply_bytes,
            "sparse": self.sparse,
            "mutates_request": self.mutates_request,
            "ring_order": self.ring_order,
        }

    def _facts(self) -> list[tuple[str, str]]:
        by_process: dict[int, list[str]] = {}
        for pid, role in self.participants:
            by_process.setdefault(pid, []).append(role)
        options = [name for name in ("sparse", "mutates_request", "ring_order") if getattr(self, name)]
        facts = [
            ("memory", f"{_show.size(self.bytes)}{''.join(f', {option}' for option in options)}"),
            ("host", f"process {self.host_pid}, epoch {self.epoch[:8]}"),
            ("slots", ", ".join(f"{count} {phase}" for phase, count in self.phases._asdict().items())),
            ("attached", ", ".join(f"{pid} {' and '.join(_counted(roles))}" for pid, roles in by_process.items())),
        ]
        for holder in self.holders:
            aliases = f" (aliases of {', '.join(holder.fields)})" if holder.fields else ""
            who = "nobody" if holder.pid is None else f"process {holder.pid} ({holder.command})"
            held = f"{who}: {holder.slots} {holder.how}, the oldest for {holder.seconds:.1f} s{aliases}"
            facts.append(("held by", held))
        return facts

    def _records(self) -> list[tuple[str, Schema, int]]:
        first = "record" if self.reply is None else "request"
        records = [(first, self.request, self.request_bytes)]
        return records if self.reply is None else [*records, ("reply", self.reply, self.reply_bytes)]

    def __str__(self) -> str:
        text = [f"{self.kind} {self.name!r} of {self.slots} slots"]
        text += [f"  {line}" for line in _show.lines(self._facts())]
        for part, schema, count in self._records():
            text.append(f"  {part}: {schema.name}, {_show.size(count)}")
            text += [f"    {line}" for line in _show.lines(_show.field_rows(schema))]
        return "\n".join(text)

    def __repr__(self) -> str:
        return f"<{self}>"

    def _repr_html_(self) -> str:
        parts = [f"<div><b>{html.escape(self.name)}</b>, a {self.kind} of {self.slots} slots"]
        parts.append(_show.table(("", ""), self._facts()))
        for part, schema, count in self._records():
            parts.append(f"{part} <b>{html.escape(schema.name)}</b>, {_show.size(count)}")
            parts.append(_show.table(_show.HEADS, _show.field_rows(schema)))
        return "".join([*parts, "</div>"])


def _counted(roles: list[str]) -> list[str]:
    return [role if roles.count(role) == 1 else f"{roles.count(role)} {role}s" for role in dict.fromkeys(roles)]


def _schema_dict(schema: Schema) -> dict[str, Any]:
    fields = ("name", "dtype", "shape", "optional", "align", "pad", "unit", "doc")
    return {
        "name": schema.name,
        "version": schema.version,
        "doc": schema.doc,
        "fingerprint": schema.fingerprint,
        "dims": [{"name": name, "min": low, "max": high} for name, low, high in schema.dims],
        "fields": [{key: getattr(info, key) for key in fields} for info in schema.fields],
    }


def describe(name: str, *, timeout: float | None = SECONDS) -> Description:
    """What the arena called `name` is, who is attached to it, and what its slots are doing. Takes no slot of it.

    Args:
        name: what its host calls it.
        timeout: seconds to look for the host; None for ever.

    Raises:
        NotFound: nobody hosts the name within the timeout.
        InvalidName: it is no name.
        Timeout: the host is there and does not answer.

    ::

        >>> tb.describe("resnet50")
        <service 'resnet50' of 64 slots
          memory    39.3 MB
          host      process 4242, epoch 1f2e9a07
          slots     62 free, 1 loaned, 0 ready, 1 taken, 0 done
          attached  4242 host, 4300 server, 4301 client
          ...
    """
    found: Description = _core.describe(name, timeout)
    return found


def pins(name: str | None = None, *, timeout: float | None = SECONDS) -> list[Pin]:
    """Who holds slots of the arena called `name`, hold by hold. Takes no slot of it.

    Without a name: what this process holds of every arena it is connected to, or was - loans, received records, and
    tensors on them. A slot that does not come back is somewhere in there, or in another process.

    Args:
        name: what the arena's host calls it.
        timeout: seconds to look for the host; None for ever.

    Raises:
        NotFound: nobody hosts the name within the timeout.
    """
    return _core.pins() if name is None else list(describe(name, timeout=timeout).pins)
