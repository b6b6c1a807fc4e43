"""The other process: `python server.py SYSTEM [ARGUMENT...]`."""

import importlib
import sys

from systems import pin_server

if __name__ == "__main__":
    pin_server()
    importlib.import_module(f"systems.{sys.argv[1]}").serve(sys.argv[2:])
