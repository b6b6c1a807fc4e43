"""Environments without the packages of the one that runs the tests: only what a test names is installed there.

A test takes the fixture `wheel` and makes an environment for it with `make_environment`.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def run(command: list[str], *, directory: Path = PROJECT) -> str:
    """Runs a command to its end; what it printed, when it failed, is the error."""
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)}: status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def build_wheel(directory: Path) -> Path:
    """The wheel of these sources, from the release build that `cargo xtask test` has made already."""
    maturin = [sys.executable, "-m", "maturin", "build", "--release", "--interpreter", sys.executable]
    run([*maturin, "--out", str(directory)])
    (wheel,) = directory.glob("*.whl")
    return wheel


def make_environment(directory: Path, python: str, *packages: str | Path) -> Path:
    """A new virtual environment of `python` that has these packages and what they depend on; its interpreter."""
    run([python, "-m", "venv", "--without-pip", str(directory)])
    interpreter = directory / "bin" / "python"
    # The pip of the environment that runs the tests installs there: that saves installing pip first.
    pip = [sys.executable, "-m", "pip", "--python", str(interpreter), "install", "--quiet", "--no-compile"]
    run([*pip, *map(str, packages)])
    return interpreter


def find_python(version: str) -> str | None:
    """The interpreter of another version, where one is found that runs: `find_python("3.13")`."""
    candidates = [f"python{version}"]
    # A version manager may have it without it being the one that is chosen here.
    for root in filter(None, [os.environ.get("PYENV_ROOT"), str(Path.home() / ".pyenv")]):
        candidates += sorted(str(path) for path in Path(root).glob(f"versions/{version}.*/bin/python"))
    for candidate in candidates:
        try:
            done = subprocess.run(
                [candidate, "-c", "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"],
                capture_output=True,
                text=True,
            )
        except OSError:
            continue
        found, _, executable = done.stdout.strip().partition(" ")
        if done.returncode == 0 and found == version:
            return executable
    return None
