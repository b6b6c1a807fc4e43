"""What a user does first with the package as it was installed, in an environment that has nothing else but NumPy.

Prints a line for each thing that works. Its workers are this program, run again.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
import threading

import tensorbridge as tb

FRAMEWORKS = ("torch", "tensorflow", "jax")

loaded = {"numpy", *FRAMEWORKS} & set(sys.modules)
assert not loaded, f"importing tensorbridge imported {loaded}"


class Point(tb.Record, name="installed.point"):
    """A point."""

    at = tb.f32(3)
    id = tb.u64()


@tb.service("installed.mirror", Point, Point, slots=4)
class Mirror:
    """Gives the point on the other side back."""

    def __call__(self, point: Point, answer: Point) -> None:
        answer.at[:] = -point.at.numpy()
        answer.id[:] = point.id.numpy()


def call_a_service() -> None:
    """Host, worker and client are three processes."""
    service = subprocess.Popen([sys.executable, __file__, "serve"])
    try:
        with tb.Client("installed.mirror", Point, Point, timeout=60.0) as client:
            for number in range(3):
                answer = client.call(at=[1.0, 2.0, number], id=number)
                assert answer.at.tolist() == [-1.0, -2.0, -float(number)], answer.at.tolist()
                assert answer.id.item() == number
            try:
                client.call(at=[1.0, 2.0], id=0)
            except tb.WrongShape as error:
                assert error.code == "TB408", error.code
            else:
                raise AssertionError("a wrong shape was taken")
    finally:
        service.terminate()
        assert service.wait(60) == 0, service.returncode


def use_a_channel() -> None:
    with tb.Channel("installed.points", Point, slots=2), tb.Sender("installed.points", Point) as sender:
        received: list[float] = []
        with tb.Receiver("installed.points") as receiver:
            thread = threading.Thread(target=lambda: received.extend(receiver.receive().at.tolist()))
            thread.start()
            sender.send(at=[4.0, 5.0, 6.0], id=1)
            thread.join()
        assert received == [4.0, 5.0, 6.0], received


def list_the_errors() -> None:
    codes = {row.code for row in tb.errors()}
    assert {"TB101", "TB303", "TB509"} <= codes, codes
    assert isinstance(tb.__version__, str) and tb.__version__


def ask_for_a_framework_that_is_missing() -> None:
    point = Point.empty(1)
    methods = {"torch": "torch", "tf": "tensorflow", "jax": "jax"}
    for method, module in methods.items():
        if not hasattr(tb.Field, method) or importlib.util.find_spec(module) is not None:
            continue
        try:
            getattr(point.at, method)()
        except ImportError as error:
            assert f"pip install 'tensorbridge[{module}]'" in str(error), f".{method}() says: {error}"
        else:
            raise AssertionError(f"{module} was found")


def run_the_command() -> None:
    for arguments, word in (["--help"], "serve"), (["errors"], "TB303"), (["--version"], tb.__version__):
        done = subprocess.run(
            [sys.executable, "-m", "tensorbridge", *arguments], capture_output=True, text=True, check=True
        )
        assert word in done.stdout, done.stdout


def main() -> None:
    if sys.argv[1:] == ["serve"]:
        tb.serve(Mirror)
        return
    for step in (
        list_the_errors,
        ask_for_a_framework_that_is_missing,
        use_a_channel,
        call_a_service,
        run_the_command,
    ):
        step()
        print(step.__name__.replace("_", " "), flush=True)


if __name__ == "__main__":
    main()
