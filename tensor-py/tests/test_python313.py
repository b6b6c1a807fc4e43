"""The same extension module under Python 3.13, with NumPy and JAX, where a 3.13 is found."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import TESTS
from environments import PROJECT, find_python, make_environment

PACKAGES = ("numpy==2.5.5", "jax==0.12.0.1", "pytest==9.2.0")


def environment(python: str) -> Path:
    """An environment that has the packages; kept for the next time among what is built."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or PROJECT.parent / "target")
    directory, stamp = target / "python-3.13", target / "python-3.13" / "packages.txt"
    wanted = "\n".join([python, *PACKAGES])
    if not stamp.is_file() or stamp.read_text() != wanted:
        shutil.rmtree(directory, ignore_errors=True)
        make_environment(directory, python, *PACKAGES)
        stamp.write_text(wanted)
    return directory / "bin" / "python"


@pytest.mark.parametrize("framework", ["numpy", "jax"])
def test_a_framework_under_python_3_13(framework: str) -> None:
    python = find_python("3.13")
    if python is None:
        pytest.skip("no Python 3.13 on the PATH or among pyenv's")
    done = subprocess.run(
        [str(environment(python)), "-m", "pytest", "-q", "-p", "no:cacheprovider", "frameworks"],
        env={**os.environ, "TENSORBRIDGE_FRAMEWORK": framework, "PYTHONPATH": str(PROJECT / "python")},
        cwd=TESTS,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert done.returncode == 0 and "skipped" not in done.stdout, done.stdout
