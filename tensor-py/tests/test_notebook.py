"""The notebook of the examples runs, and what a notebook shows keeps no slot in use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import Program

nbformat = pytest.importorskip("nbformat")
pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

NOTEBOOK = Path(__file__).parent.parent.parent / "examples" / "notebook" / "quickstart.ipynb"


def execute(run: Callable[..., Program], notebook: Path, directory: Path) -> dict[str, list[Any]]:
    """Runs a notebook in a kernel of its own, and gives the outputs of each cell by the cell's name."""
    # The kernel's own files stay out of the user's home.
    homes = ("IPYTHONDIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR")
    environment = {**{name: str(directory / "jupyter") for name in homes}, "TENSORBRIDGE_DIR": str(directory / "meet")}
    executed = directory / "executed.ipynb"
    status, output, errors = run("notebook.py", str(notebook), str(executed), env=environment).finish(timeout=180)
    assert status == 0, output + errors
    cells = nbformat.read(executed, as_version=4).cells
    return {cell["id"]: cell["outputs"] for cell in cells if cell["cell_type"] == "code"}


def text(outputs: list[Any]) -> str:
    return "".join(output["text"] if "text" in output else output["data"]["text/plain"] for output in outputs)


def html(outputs: list[Any]) -> str:
    return "".join(output["data"].get("text/html", "") for output in outputs if "data" in output)


def test_the_notebook_of_the_examples(run: Callable[..., Program], tmp_path: Path) -> None:
    cells = nbformat.read(NOTEBOOK, as_version=4).cells
    assert all(not cell.get("outputs") for cell in cells), "it is kept without outputs"
    outputs = execute(run, NOTEBOOK, tmp_path)
    assert text(outputs["call"]) == "array([0.5, 0.5, 0.5], dtype=float32)"
    assert text(outputs["views"]) == "[0.25, 0.25, 0.25]"
    assert "True" in text(outputs["torch"]) or "not installed" in text(outputs["torch"])
    assert "<table>" in html(outputs["loan"]) and "RGB planes" in html(outputs["loan"])
    seen = html(outputs["describe"])
    assert "notebook.photo" in seen and "notebook.scores" in seen and "2 servers" not in seen and "server" in seen
    assert "a reply" in text(outputs["pins"]) and text(outputs["release"]) == "[]"
    assert 'class Photo(tb.Record, name="notebook.photo"):' in text(outputs["stubs"])
    assert "<table>" in html(outputs["channel"]) and text(outputs["free"]) == "4"
    assert text(outputs["trap"]) == "array([2., 2., 2.], dtype=float32)"
    assert text(outputs["pinned"]).startswith("3 of 4 slots are free\n") and "('pixels',)" in text(outputs["pinned"])
    assert outputs["again"] == [] and text(outputs["unpinned"]) == "4 of 4 slots are free\n"
    assert text(outputs["end"]) == "0"
    assert not [path for path in (tmp_path / "meet").iterdir() if path.is_socket()]


def test_what_a_cell_shows_is_kept_as_a_picture(run: Callable[..., Program], tmp_path: Path) -> None:
    cells = {
        "setup": "import tensorbridge as tb\n"
        "class Number(tb.Record, name='test.number'): value = tb.i64(2)\n"
        "channel = tb.Channel('pictures', Number, slots=4)\n"
        "sender, receiver = tb.Sender('pictures'), tb.Receiver('pictures', Number)\n"
        "for number in range(3): sender.send(value=number)",
        "record": "receiver.receive()",
        "field": "receiver.receive().value",
        "named": "kept = receiver.receive()\nkept",
        "free": "channel.free_slots",
        "pictures": "[Out[2], _3, type(Out[4]).__name__, Out[2]._repr_html_()[:5]]",
        "named after": "kept.value.tolist(), kept is Out[4]",
        "completer": "from IPython.core.completer import provisionalcompleter\n"
        "def completed(line):\n"
        "    with provisionalcompleter():\n"
        "        return [each.text for each in get_ipython().Completer.completions(line, len(line))]",
        "attributes": "completed('kept.val')",
        "keys": "completed('kept[\"')",
        "aliases": "[pin.fields for pin in tb.pins()]",
        "let go": "import gc\ndel kept\ngc.collect()  # the completer leaves cycles\nchannel.free_slots",
        "off": "from IPython.display import display\ndisplay(Number.empty(1))\n"
        "len(get_ipython().events.callbacks['post_run_cell'])",
        "before": "len(get_ipython().events.callbacks['post_run_cell'])",
    }
    notebook = nbformat.v4.new_notebook()
    notebook.cells = [nbformat.v4.new_code_cell(code, id=name.replace(" ", "-")) for name, code in cells.items()]
    nbformat.write(notebook, tmp_path / "pictures.ipynb")
    outputs = execute(run, tmp_path / "pictures.ipynb", tmp_path)
    assert "<table>" in html(outputs["record"]) and "[2]" in html(outputs["record"])
    assert text(outputs["free"]) == "3", "what only `Out` had is free; what has a name is held"
    pictures = text(outputs["pictures"])
    assert "<Number (test.number), received" in pictures and "<Field value: i64[2] of test.number>" in pictures
    assert "'Shown'" in pictures and "'<div>'" in pictures
    assert "'value'" in text(outputs["attributes"]) and "value" in text(outputs["keys"]), "the tab key"
    assert text(outputs["aliases"]) == "[()]", "completing makes no alias"
    assert text(outputs["named-after"]) == "([2, 2], False)" and text(outputs["let-go"]) == "4"
    assert int(text(outputs["off"][1:])) == int(text(outputs["before"])) + 1, "it listens for the rest of the cell only"
