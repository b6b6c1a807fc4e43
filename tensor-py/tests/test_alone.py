"""The package in a process of its own: what it imports, and how it does without torch."""

from __future__ import annotations

from collections.abc import Callable

from conftest import Program

Run = Callable[..., Program]


def fine(run: Run, code: str) -> None:
    status, output, errors = run("-c", code).finish()
    assert (status, output, errors) == (0, "", "")


def test_frameworks_are_imported_when_they_are_used(run: Run) -> None:
    fine(
        run,
        "import sys, tensorbridge as tb\n"
        "class X(tb.Record, name='x'): a = tb.f32(2)\n"
        "x = X.empty(1)\n"
        "x.a = 1.5\n"
        "assert not {'numpy', 'torch'} & set(sys.modules), set(sys.modules)\n"
        "assert bytes(memoryview(x.a)) == bytes.fromhex('0000c03f') * 2\n"
        "x.a.numpy()\n"
        "assert 'torch' not in sys.modules\n"
        "x.a.torch()\n"
        "assert 'torch' in sys.modules\n",
    )


def test_without_torch(run: Run) -> None:
    fine(
        run,
        "import sys; sys.modules['torch'] = None\n"
        "import tensorbridge as tb, numpy as np, threading\n"
        "class X(tb.Record, name='x'): a = tb.f32(2)\n"
        "class B(tb.Record, name='b'): a = tb.bf16(2)\n"
        "try: X.empty(1).a.torch()\n"
        "except ImportError as error: assert '.numpy()' in str(error), error\n"
        "else: raise SystemExit('torch was found')\n"
        "b = B.empty(1); b.a = [[1, 2.5]]; assert b''.join([b.a]) == bytes.fromhex('803f2040')\n"
        "def double(x, y): y.a[:] = x.a.numpy() * 2\n"
        "with tb.Service('alone', X, X, slots=2), tb.Server('alone', X, X) as server, tb.Client('alone') as client:\n"
        "    thread = threading.Thread(target=server.serve, args=(double,)); thread.start()\n"
        "    assert client.call(a=np.ones(2, np.float32)).a.tolist() == [2.0, 2.0]\n"
        "    server.stop(); thread.join()\n",
    )


def test_an_older_torch_without_c_functions(run: Run) -> None:
    fine(
        run,
        "import torch; del torch.Tensor.__dlpack_c_exchange_api__\n"
        "import tensorbridge as tb\n"
        "class X(tb.Record, name='x'): a = tb.f32(2, 3)\n"
        "x = X.empty(1)\n"
        "assert x.a.torch().data_ptr() == x.a.data_ptr\n"
        "ones = torch.ones(1, 2, 3)\n"
        "for value in (ones, torch.ones(1, 3, 2).transpose(1, 2), ones.clone().requires_grad_()):\n"
        "    x.a = 0; x.a[:] = value; assert x.a.numpy().sum() == 6\n"
        "try: x.a = torch.ones(1, 2, 3, dtype=torch.float64)\n"
        "except tb.WrongDType: pass\n"
        "else: raise SystemExit('the dtype was not looked at')\n",
    )
