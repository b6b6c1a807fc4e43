"""How a record is shown: its fields with dtype, shape, presence, unit and documentation. Never its data."""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._record import Record

HEADS = ("field", "dtype", "shape", "", "unit", "")


def _state(record: Record) -> str:
    gone = record._handle.gone
    if gone is not None:
        return gone
    records = record._handle.records
    run = "" if records is None else f"a run of {records}, "
    return run + ("to be filled" if record._handle.writable else "received")


def _rows(record: Record) -> list[tuple[str, ...]]:
    handle = record._handle
    live = handle.gone is None
    present = handle.present() if live else None
    lengths = record.dims if live else {}
    leading = [] if handle.records is None else [str(handle.records)]
    rows: list[tuple[str, ...]] = []
    for index, info in enumerate(record.schema.fields):
        extents = [
            f"{extent}={lengths[extent]}" if isinstance(extent, str) and lengths.get(extent) else str(extent)
            for extent in info.shape
        ]
        if present is None:
            presence = ""
        elif present[index]:
            presence = "written" if handle.writable else "present"
        else:
            presence = "optional, absent" if info.optional else "not written"
        shape = f"[{', '.join(leading + extents)}]"
        rows.append((info.name, info.dtype, shape, presence, info.unit, info.doc.split("\n")[0]))
    return rows


def as_text(record: Record) -> str:
    """Several lines, one a field."""
    rows = _rows(record)
    # Columns that are empty in every row are left out.
    used = [number for number in range(len(HEADS)) if any(row[number] for row in rows)]
    widths = {number: max(len(row[number]) for row in rows) for number in used}
    lines = ["  ".join(row[number].ljust(widths[number]) for number in used).rstrip() for row in rows]
    head = f"<{type(record).__name__} ({record.schema.name}), {_state(record)}"
    return head + "".join(f"\n  {line}" for line in lines) + ">"


def as_html(record: Record) -> str:
    """A table, for notebooks."""
    heads = "".join(f"<th style='text-align:left'>{html.escape(head)}</th>" for head in HEADS)
    lines = [
        "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in _rows(record)
    ]
    title = f"<b>{html.escape(type(record).__name__)}</b> ({html.escape(record.schema.name)}), {_state(record)}"
    doc = html.escape(record.schema.doc.split("\n")[0])
    return f"<div>{title}<br>{doc}<table><tr>{heads}</tr>{''.join(lines)}</table></div>"
