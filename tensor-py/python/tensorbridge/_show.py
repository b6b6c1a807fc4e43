"""How records and arenas are shown: what they are with dtype, shape, presence, unit and documentation. Never data."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._core import Schema
    from ._record import Record

Rows = Sequence[Sequence[str]]

HEADS = ("field", "dtype", "shape", "", "unit", "")


def lines(rows: Rows) -> list[str]:
    """Rows as lines of text with aligned columns; columns that are empty in every row are left out."""
    used = [number for number in range(max(map(len, rows), default=0)) if any(row[number] for row in rows)]
    widths = {number: max(len(row[number]) for row in rows) for number in used}
    return ["  ".join(row[number].ljust(widths[number]) for number in used).rstrip() for row in rows]


def table(heads: Sequence[str], rows: Rows) -> str:
    """Rows as an HTML table; columns that are empty in every row are left out."""
    used = [number for number in range(len(heads)) if any(row[number] for row in rows)]

    def line(tag: str, cells: Sequence[str]) -> str:
        left = f"<{tag} style='text-align:left'>"
        return f"<tr>{''.join(f'{left}{html.escape(cells[number])}</{tag}>' for number in used)}</tr>"

    head = line("th", heads) if any(heads) else ""
    return f"<table>{head}{''.join(line('td', row) for row in rows)}</table>"


def size(count: int) -> str:
    """A number of bytes, for people."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def field_rows(
    schema: Schema,
    presence: Sequence[str] | None = None,
    lengths: Mapping[str, int | None] | None = None,
    leading: Sequence[str] = (),
) -> list[tuple[str, ...]]:
    """One row a field, with the columns of `HEADS`.

    Args:
        schema: whose fields.
        presence: what to say about each field's presence; without it, which of them are optional.
        lengths: of symbolic dimensions, where they are known.
        leading: extents before those of the schema.
    """
    lengths = lengths or {}
    rows: list[tuple[str, ...]] = []
    for index, info in enumerate(schema.fields):
        extents = [
            f"{extent}={lengths[extent]}" if isinstance(extent, str) and lengths.get(extent) else str(extent)
            for extent in info.shape
        ]
        if presence is not None:
            said = presence[index]
        else:
            said = "optional" if info.optional else ""
        shape = f"[{', '.join([*leading, *extents])}]"
        rows.append((info.name, info.dtype, shape, said, info.unit, info.doc.split("\n")[0]))
    return rows


def _state(record: Record) -> str:
    gone = record._handle.gone
    if gone is not None:
        return gone
    records = record._handle.records
    run = "" if records is None else f"a run of {records}, "
    return run + ("to be filled" if record._handle.writable else "received")


def _rows(record: Record) -> list[tuple[str, ...]]:
    handle = record._handle
    leading = [] if handle.records is None else [str(handle.records)]
    if handle.gone is not None:
        return field_rows(record.schema, [""] * len(record), leading=leading)
    here = "written" if handle.writable else "present"
    presence = [
        here if present else "optional, absent" if info.optional else "not written"
        for info, present in zip(record.schema.fields, record.present.values(), strict=True)
    ]
    first = record._first[1]
    lengths = {name: handle.dim(first + number) for name, number in record._dims.items()}
    return field_rows(record.schema, presence, lengths, leading)


def as_text(record: Record) -> str:
    """Several lines, one a field."""
    head = f"<{type(record).__name__} ({record.schema.name}), {_state(record)}"
    return head + "".join(f"\n  {line}" for line in lines(_rows(record))) + ">"


def as_html(record: Record) -> str:
    """A table, for notebooks."""
    title = f"<b>{html.escape(type(record).__name__)}</b> ({html.escape(record.schema.name)}), {_state(record)}"
    doc = html.escape(record.schema.doc.split("\n")[0])
    return f"<div>{title}{doc and '<br>'}{doc}{table(HEADS, _rows(record))}</div>"
