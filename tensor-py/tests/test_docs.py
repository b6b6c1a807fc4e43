"""What the pages of documentation show is what happens."""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import Program
from environments import PROJECT

README = PROJECT / "README.md"
PAGES = [
    page for page in (README, *sorted((PROJECT.parent / "docs").glob("*.md"))) if "```pycon" in page.read_text()
]

Run = Callable[..., Program]


def test_there_are_pages() -> None:
    names = {"README.md", "quickstart-python.md", "who-owns-the-slot.md", "why-is-my-arena-full.md"}
    assert {page.name for page in PAGES} >= names


def test_every_environment_variable_is_documented() -> None:
    sources = [
        path.read_text()
        for folder in ("tensor-core/src", "tensor-py/src", "tensor-py/python")
        for path in (PROJECT.parent / folder).rglob("*")
        if path.suffix in (".rs", ".py")
    ]
    named = {name for text in sources for name in re.findall(r'"(TENSORBRIDGE_[A-Z_]+)"', text)}
    page = (PROJECT.parent / "docs" / "environment.md").read_text()
    for_users = {name for name in named if not name.startswith(("TENSORBRIDGE_TEST_", "TENSORBRIDGE_PLANT"))}
    assert for_users <= set(re.findall(r"^\| `(TENSORBRIDGE_[A-Z_]+)`", page, re.M))
    assert "TENSORBRIDGE_DIR" in for_users


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_do_what_it_says(run: Run, page: Path) -> None:
    status, output, errors = run("page.py", str(page)).finish()
    assert status == 0, output + errors


def test_the_quick_start_runs(run: Run, tmp_path: Path) -> None:
    text = README.read_text()
    for name, program in re.findall(r"<!-- example: (\S+) -->\n```python\n(.*?)```", text, re.S):
        (tmp_path / name).write_text(program)
    ((name, expected),) = re.findall(r"<!-- output: (\S+) -->\n```text\n(.*?)```", text, re.S)
    service = run(str(tmp_path / "network.py"))
    assert run(str(tmp_path / name)).finish() == (0, expected, "")
    service.signal(signal.SIGTERM)
    assert service.finish()[0] == 0
