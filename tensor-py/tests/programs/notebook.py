"""Executes the notebook at the first path in a kernel of its own, and writes it with its outputs to the second."""

import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

source, target = map(Path, sys.argv[1:])
notebook = nbformat.read(source, as_version=4)
nbformat.validate(notebook)
where = {"metadata": {"path": str(target.parent)}}
NotebookClient(notebook, timeout=120, kernel_name="python3", resources=where).execute()
nbformat.write(notebook, target)
