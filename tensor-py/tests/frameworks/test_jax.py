"""JAX's own ways: what it computes in the background, what its functions take."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tensorbridge as tb
from conftest import Hosts, answering, eventually
from framework import Picture

SIDE = 512
HERE = (str(Path(__file__).parent), str(Path(__file__).parent.parent))
"""Where the programs that the tests start find these modules."""


class Matrix(tb.Record, name="test.matrix"):
    data = tb.f32(SIDE, SIDE)


class Number(tb.Record, name="test.number"):
    value = tb.i64()


@jax.jit
def chain(x: Any, times: int) -> Any:
    """Reads `x` again in every step, so that it needs it to the end."""
    return jax.lax.fori_loop(0, times, lambda _, y: (x @ y) / SIDE, jnp.ones_like(x))


def expected(value: float) -> float:
    """What `chain` makes of a matrix of 1.0; any other number would grow or vanish."""
    assert value == 1.0
    return value


def in_flight(x: Any) -> Any:
    """A result that is still being computed when this returns."""
    chain(x, 1).block_until_ready()
    times = 8
    while (result := chain(x, times)).is_ready():
        times *= 2
        assert times < 1 << 16, "JAX never computes in the background"
    return result


def test_a_slot_is_held_while_jax_computes(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Matrix, slots=2)
    with tb.Sender(name, Matrix) as sender, tb.Receiver(name, Matrix) as receiver:
        sender.send(data=1.0)
        record = receiver.receive()
        x = record.data.jax()
        assert x.unsafe_buffer_pointer() == record.data.data_ptr
        result = in_flight(x)
        del x
        record.release()
        # The order matters: it was held when it was looked at, or the work was over.
        free = channel.free_slots
        assert free == 1 or result.is_ready()
        while not result.is_ready():
            sender.send(data=7.0)
            receiver.receive().release()
        assert (np.asarray(result) == expected(1.0)).all(), "the slot was used again too early"
        assert eventually(lambda: channel.free_slots == 2)


def test_a_worker_may_answer_while_jax_computes(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Matrix, Number, slots=2)
    results: list[Any] = []

    def handler(request: Matrix, reply: Number) -> None:
        if not results:
            results.append(in_flight(request.data.jax()[0]))
        reply.value = int(request.data.numpy()[0, 0, 0])

    with answering(name, handler), tb.Client(name, Matrix, Number) as client:
        assert client.call(data=1.0).value.item() == 1
        (result,) = results
        assert client.call(data=7.0).value.item() == 7
        while not result.is_ready():
            client.call(data=7.0)
        assert (np.asarray(result) == expected(1.0)).all()
        assert eventually(lambda: service.free_slots == 2)


def test_what_is_assigned_is_ready(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Matrix, slots=2)
    with tb.Sender(name, Matrix) as sender, tb.Receiver(name, Matrix) as receiver:
        ones = jnp.ones((SIDE, SIDE), jnp.float32)
        sender.send(data=in_flight(ones))
        with receiver.receive() as record:
            assert (record.data.numpy() == 1).all()
    run = Matrix.empty(1)
    run.data[0] = in_flight(ones)
    assert (run.data.numpy() == 1).all()

    class Small(tb.Record, name="test.small"):
        data = tb.bf16(SIDE, SIDE)

    small = Small.empty(1)
    small.data[0] = in_flight(ones).astype(jnp.bfloat16)
    assert (small.data.numpy() == 1).all()


def test_a_donated_array_gives_its_slot_back_and_is_not_written(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Picture, slots=2)
    with tb.Sender(name, Picture) as sender, tb.Receiver(name, Picture) as receiver:
        sender.send(pixels=3.0, id=1)
        record = receiver.receive()
        witness = record.pixels.numpy()
        x = record.pixels.jax()
        result = jax.jit(lambda x: x + 1, donate_argnums=0)(x)
        assert (np.asarray(result) == 4).all() and (witness == 3).all()
        del witness, record
        assert eventually(lambda: channel.free_slots == (2 if x.is_deleted() else 1))
        del x
        assert eventually(lambda: channel.free_slots == 2)


def test_jax_functions_take_fields() -> None:
    picture = Picture.empty(1)
    picture.pixels = 2.0
    field = picture.pixels
    before = tb.copied()
    assert jnp.asarray(field).unsafe_buffer_pointer() == field.data_ptr
    assert jax.dlpack.from_dlpack(field).unsafe_buffer_pointer() == field.data_ptr
    assert jax.device_put(field.numpy()).unsafe_buffer_pointer() == field.data_ptr
    assert tb.copied() == before
    assert jnp.array(field).unsafe_buffer_pointer() != field.data_ptr
    assert jnp.sum(field.jax()) == 384
    for function in (jnp.sum, jax.jit(lambda x: x), jax.device_put):
        with pytest.raises((TypeError, ValueError), match=r"Field|__jax_array__"):
            function(field)
    # A constant of a compiled function is not the field any more.
    assert jax.jit(lambda: field.jax().sum())() == 384
    grad = jax.grad(lambda x: (x**2).sum())(field.jax())
    assert (np.asarray(grad) == 4).all()


def test_memory_that_jax_would_copy_in_silence_is_refused() -> None:
    class Two(tb.Record, name="test.two"):
        seq = tb.Dim(1, 16)
        cut = tb.f32(2, seq)
        odd = tb.f32(3)

    record = Two.empty(2)
    record.seq = 3
    record.odd = 1.0
    odd = Two.empty(2).odd
    assert jax.dlpack.from_dlpack(odd).shape == (2, 3)
    with pytest.raises(Exception, match="strid"):
        jax.dlpack.from_dlpack(record.cut)


def test_values_that_jax_cannot_give() -> None:
    picture = Picture.empty(1)
    gone = jnp.ones((1, 3, 4, 16))
    gone.delete()
    with pytest.raises((tb.Error, RuntimeError), match="deleted"):
        picture.pixels = gone

    def traced(x: Any) -> Any:
        picture.pixels = x
        return x

    with pytest.raises(Exception, match="Tracer|traced"):
        jax.jit(traced)(jnp.ones((1, 3, 4, 16)))
    assert not picture.present["pixels"]
    with pytest.raises(tb.WrongDType, match="i32"):
        picture.id = jnp.ones((1,), jnp.int32)


def program(code: str, *arguments: str, **env: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*HERE, os.environ.get("PYTHONPATH", "")]), **env},
        capture_output=True,
        text=True,
        timeout=100,
    )
    return done.returncode, done.stdout, done.stderr


def test_a_jax_that_hides_its_function() -> None:
    code = """
import jax, types, jax.dlpack, jax._src.lib
without = {name: value for name, value in vars(jax._src.lib._jax).items() if name != "dlpack_managed_tensor_to_buffer"}
jax._src.lib._jax = types.SimpleNamespace(**without)
import tensorbridge as tb
from framework import Picture
class Odd(tb.Record, name="odd"):
    seq = tb.Dim(1, 8)
    few = tb.f64(3, seq)
picture = Picture.empty(2)
assert picture.pixels.jax().unsafe_buffer_pointer() == picture.pixels.data_ptr
odd = Odd.empty(2); odd.seq = 3; odd.few = 1.5
assert odd.few.jax().sum() == 27 and odd.few.jax().dtype == "float32"
"""
    assert program(code)[::2] == (0, "")


def test_an_array_in_pieces_on_several_devices() -> None:
    code = """
import jax, numpy as np, jax.numpy as jnp
from jax.sharding import Mesh, NamedSharding, PartitionSpec
from framework import Picture
assert len(jax.devices()) == 2
mesh = Mesh(np.array(jax.devices()), ("x",))
value = jax.device_put(jnp.arange(384.0).reshape(2, 3, 4, 16), NamedSharding(mesh, PartitionSpec("x")))
picture = Picture.empty(2)
picture.pixels = value
assert picture.pixels.numpy().ravel().tolist() == list(range(384))
"""
    assert program(code, XLA_FLAGS="--xla_force_host_platform_device_count=2")[::2] == (0, "")


def test_the_interpreter_ends_while_jax_computes(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Matrix, slots=2)
    code = """
import sys, tensorbridge as tb
from test_jax import Matrix, in_flight
receiver = tb.Receiver(sys.argv[1], Matrix)
result = in_flight(receiver.receive().data.jax())
print("ends")
"""
    with tb.Sender(name, Matrix) as sender:
        sender.send(data=1.0)
        status, output, errors = program(code, name)
    assert (status, output) == (0, "ends\n"), errors
    assert eventually(lambda: channel.free_slots == 2)
