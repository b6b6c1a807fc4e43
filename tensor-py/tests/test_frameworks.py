"""Each framework in a process of its own, and the table of `docs/frameworks.md`, which is what they saw there.

Set `TENSORBRIDGE_TABLE=write` to have the table written anew.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tensorbridge as tb
from conftest import FRAMEWORKS, TESTS

DOCUMENT = TESTS.parent.parent / "docs" / "frameworks.md"
BEGIN, END = "<!-- table: written by tests/test_frameworks.py -->\n", "<!-- end of the table -->\n"
LABELS = ("NumPy", "PyTorch", "TensorFlow", "JAX", "JAX with x64")
KINDS = {
    "full": "Fields whose size per record is a multiple of 64 bytes",
    "odd": "Fields of any other size, without `align=64`",
    "cut": "Fields with a symbolic dimension, not the first, that is shorter than its capacity",
}


class Runs:
    """The tests of every framework, side by side."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ended: dict[str, str] = {}
        self.processes = {framework: self.start(framework) for framework in FRAMEWORKS}

    def start(self, framework: str) -> subprocess.Popen[str]:
        environment = {
            **os.environ,
            "TENSORBRIDGE_FRAMEWORK": framework,
            "TENSORBRIDGE_SEEN": str(self.directory),
            "TF_CPP_MIN_LOG_LEVEL": "3",
            "PYTHONFAULTHANDLER": "1",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "frameworks"],
            env=environment,
            cwd=TESTS,
            stdin=subprocess.DEVNULL,
            stdout=(self.directory / f"{framework}.log").open("w"),
            stderr=subprocess.STDOUT,
            text=True,
        )

    def finish(self, framework: str) -> tuple[int, str]:
        status = self.processes[framework].wait()
        return status, (self.directory / f"{framework}.log").read_text()

    def kill(self) -> None:
        for process in self.processes.values():
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    made = Runs(tmp_path_factory.mktemp("seen"))
    yield made
    made.kill()


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_in_its_own_process(runs: Runs, framework: str) -> None:
    status, output = runs.finish(framework)
    assert status == 0, output
    assert " passed" in output and "skipped" not in output, output


def table(seen: dict[str, dict[str, list[str]]]) -> str:
    lines: list[str] = []
    for kind, title in KINDS.items():
        header = ["dtype", *LABELS]
        lines += [f"{title}:", "", f"| {' | '.join(header)} |", f"|{'---|' * len(header)}"]
        for dtype, _ in tb._core.dtypes():
            cells = [seen[label][f"{dtype}_{kind}"] for label in LABELS]
            lines.append(f"| {dtype} | {' | '.join(cell(*pair) for pair in cells)} |")
        lines.append("")
    return "\n".join(lines)


def cell(record: str, run: str) -> str:
    return record if record == run else f"{record}; run: {run}"


def test_the_table_is_what_the_frameworks_saw(runs: Runs) -> None:
    for framework in FRAMEWORKS:
        runs.finish(framework)
    seen = {label: json.loads((runs.directory / f"{label}.json").read_text()) for label in LABELS}
    text = DOCUMENT.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    expected = f"{before}{BEGIN}\n{table(seen)}\n{END}{after}"
    if os.environ.get("TENSORBRIDGE_TABLE") == "write":
        DOCUMENT.write_text(expected)
    assert DOCUMENT.read_text() == expected, f"{DOCUMENT} is stale: run this test with TENSORBRIDGE_TABLE=write"
