"""The wheel that users install, in an environment that has nothing else but NumPy."""

from __future__ import annotations

import sys
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

from conftest import PROGRAMS
from environments import make_environment, run


def test_the_wheel_works_where_only_numpy_is(wheel: Path, tmp_path: Path) -> None:
    python = make_environment(tmp_path / "environment", sys.executable, wheel)
    said = run([str(python), str(PROGRAMS / "installed.py")], directory=tmp_path)
    assert said.splitlines()[-2:] == ["call a service", "run the command"]
    listed = "import importlib.metadata as m; print(*sorted(d.name for d in m.distributions()))"
    assert run([str(python), "-c", listed], directory=tmp_path).split() == ["numpy", "tensorbridge"]


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = archive.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        said = Parser().parsestr(archive.read(metadata).decode())
        module = archive.getinfo("tensorbridge/_core.abi3.so")
    assert wheel.name.startswith("tensorbridge-0.") and "-cp311-abi3-manylinux_" in wheel.name
    assert said["Requires-Python"] == ">=3.11"
    assert said["License-Expression"] == "MIT OR Apache-2.0"
    assert {Path(name).name for name in names if "/licenses/" in name} == {"LICENSE-MIT", "LICENSE-APACHE"}
    assert "py.typed" in {Path(name).name for name in names} and not [name for name in names if "test" in name]
    assert sorted(said.get_all("Provides-Extra", [])) == ["jax", "opentelemetry", "tensorflow", "torch"]
    needed = [line for line in said.get_all("Requires-Dist", []) if "extra" not in line]
    assert [line.split(">")[0] for line in needed] == ["numpy"]
    assert module.file_size < 3_000_000, "the extension module has symbols that nobody needs"
    assert said.get_payload().startswith("# tensorbridge"), "the readme is missing"
