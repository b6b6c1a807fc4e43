"""TensorFlow's own ways: it ends the process where another framework raises, so nothing may get that far."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
import tensorflow as tf
from conftest import Hosts, answering, eventually
from framework import DTYPES, FRAMEWORK, Picture


class Odd(tb.Record, name="test.odd"):
    """Nothing in it is aligned, but in the first slot."""

    seq = tb.Dim(1, 16)
    few = tb.f32(3)
    cut = tb.f32(3, seq)


@pytest.fixture
def odd(hosts: Hosts, name: str) -> Iterator[Odd]:
    """A received record whose fields TensorFlow must not see as they are."""
    hosts.channel(name, Odd, slots=2)
    with tb.Sender(name, Odd) as sender, tb.Receiver(name, Odd) as receiver:
        loans = [sender.loan(), sender.loan()]
        (record,) = (loan for loan in loans if loan.few.data_ptr % 64)
        record.set(seq=5, few=[1.0, 2.0, 3.0], cut=2.0).send()
        for loan in loans:
            loan.release()
        with receiver.receive() as got:
            yield got


def test_operations_on_what_had_to_be_copied(odd: Odd) -> None:
    few, cut = odd.few.tf(), odd.cut.tf()
    assert (few + few)[1:3].numpy().tolist() == [4.0, 6.0]
    assert tf.reduce_sum(cut @ tf.transpose(cut)).numpy() == 9 * 20
    assert tf.reduce_sum(odd.few).numpy() == 6
    assert tf.convert_to_tensor(odd.cut).shape == (3, 5)
    # What TensorFlow makes of a field as an array: it looks at the address itself.
    assert (tf.constant(odd.few) + tf.constant(odd.few.numpy()))[1:].numpy().tolist() == [4.0, 6.0]
    assert (tf.constant(odd.cut) + 1)[2, 4].numpy() == 3


def test_a_capsule_of_memory_that_is_not_aligned_is_refused(odd: Odd) -> None:
    for options in ({}, {"stream": None}, {"max_version": None}, {"max_version": (0, 8)}, {"copy": False}):
        with pytest.raises(tb.NeedsCopy, match="multiple of 64"):
            odd.few.__dlpack__(**options)
    before = tb.copied()["requested"]
    copy = tf.experimental.dlpack.from_dlpack(odd.few.__dlpack__(copy=True))
    assert (copy + copy).numpy().tolist() == [2.0, 4.0, 6.0]
    assert tb.copied()["requested"] - before == 12
    # The newer form is for consumers that look at the address; TensorFlow is none.
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.experimental.dlpack.from_dlpack(odd.few.__dlpack__(max_version=(1, 0)))


def test_tensorflow_functions_take_fields() -> None:
    picture = Picture.empty(1)
    picture.pixels = 2.0
    field = picture.pixels
    before = tb.copied()
    for tensor in (
        tf.convert_to_tensor(field),
        tf.convert_to_tensor(field, dtype=tf.float32),
        tf.identity(field),
        tf.experimental.dlpack.from_dlpack(field.__dlpack__()),
    ):
        assert np.asarray(tensor).ctypes.data == field.data_ptr
    assert tb.copied() == before
    assert tf.reduce_sum(field).numpy() == tf.reduce_sum(field.tf()).numpy() == 384
    assert tf.function(lambda: tf.reduce_sum(field.tf()))().numpy() == 384
    assert tf.function(lambda x: x * 2)(field.tf())[0, 0, 0, 0].numpy() == 4
    with pytest.raises((ValueError, TypeError)):
        tf.convert_to_tensor(field, dtype=tf.float64)


def test_nothing_writes_into_a_record(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Picture, slots=2)
    with tb.Sender(name, Picture) as sender, tb.Receiver(name, Picture) as receiver:
        sender.send(pixels=2.0, id=1)
        record = receiver.receive()
        witness = record.pixels.numpy()
        variable = tf.Variable(record.pixels)
        variable.assign_add(tf.ones_like(variable))
        assert (variable.numpy() == 3).all() and (witness == 2).all()
        with tf.GradientTape() as tape:
            x = record.pixels.tf()
            tape.watch(x)
            loss = tf.reduce_sum(x * x)
        assert (tape.gradient(loss, x).numpy() == 4).all() and (witness == 2).all()
        del witness, x, tape, loss, record
        assert eventually(lambda: channel.free_slots == 2)


def test_a_data_set_holds_its_slot(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Picture, slots=2)
    with tb.Sender(name, Picture) as sender, tb.Receiver(name, Picture) as receiver:
        sender.send(pixels=2.0, id=1)
        data = tf.data.Dataset.from_tensors(receiver.receive().pixels.tf())
        assert channel.free_slots == 1
        assert [tf.reduce_sum(one).numpy() for one in data] == [384.0]
        del data
        assert eventually(lambda: channel.free_slots == 2)


@pytest.mark.parametrize("dtype", [tf.string, tf.resource, tf.variant])
def test_tensors_that_are_no_numbers_are_refused(dtype: Any) -> None:
    picture = Picture.empty(1)
    values: dict[Any, Any] = {
        tf.string: tf.constant(["a", "b"]),
        tf.resource: tf.Variable(1.0).handle,
        tf.variant: tf.raw_ops.EmptyTensorList(element_shape=[2], max_num_elements=2, element_dtype=tf.float32),
    }
    assert values[dtype].dtype == dtype
    with pytest.raises(tb.WrongDType) as caught:
        picture.pixels = values[dtype]
    assert caught.value.expected == "f32" and dtype.name in str(caught.value)


def test_other_things_of_tensorflow() -> None:
    picture = Picture.empty(1)
    picture.pixels = tf.Variable(tf.ones((1, 3, 4, 16)) * 3)
    assert (picture.pixels.numpy() == 3).all()
    picture.pixels = tf.transpose(tf.ones((16, 4, 3, 1)) * 5)
    assert (picture.pixels.numpy() == 5).all()
    picture.pixels = tf.constant(4.0)
    assert (picture.pixels.numpy() == 4).all()
    with pytest.raises(tb.Error):
        picture.pixels = tf.ragged.constant([[1.0], [2.0, 3.0]])
    with pytest.raises(tb.Error):
        picture.pixels = tf.sparse.from_dense(tf.ones((1, 2)))

    @tf.function
    def traced(x: Any) -> Any:
        picture.pixels = x
        return x

    with pytest.raises(Exception, match="SymbolicTensor of float32"):
        traced(tf.ones((1, 3, 4, 16)))


def test_work_in_the_background(hosts: Hosts, name: str) -> None:
    class Matrix(tb.Record, name="test.matrix"):
        data = tb.f32(1024, 1024)

    channel = hosts.channel(name, Matrix, slots=2)
    tf.config.experimental.set_synchronous_execution(False)
    try:
        with tb.Sender(name, Matrix) as sender, tb.Receiver(name, Matrix) as receiver:
            sender.send(data=1.0)
            record = receiver.receive()
            x = record.data.tf()
            result = tf.ones_like(x)
            for _ in range(20):
                result = (x @ result) / 1024
            del x
            record.release()
            for _ in range(5):
                sender.send(data=7.0)
                receiver.receive().release()
            other = Matrix.empty(1)
            other.data[0] = result
            assert (other.data.numpy() == 1).all(), "the slot was used again too early"
            del result
            assert eventually(lambda: channel.free_slots == 2)
    finally:
        tf.config.experimental.set_synchronous_execution(True)


def test_the_first_thing_that_a_program_does_with_tensorflow() -> None:
    code = """
import tensorbridge as tb
class Two(tb.Record, name="two"):
    few = tb.f32(16)
    odd = tb.f32(3)
two = Two.empty(2)
assert two.few.tf().shape == (2, 16)
import tensorflow as tf
from tensorflow.python.eager import context
assert (two.odd.tf() + 1).shape == (2, 3)
context._reset_context()
assert (two.few.tf() + 1).shape == (2, 16)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr


def test_a_worker_that_computes_with_tensorflow(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Picture, Picture, slots=2)

    def handler(request: Picture, reply: Picture) -> None:
        reply.set(pixels=tf.nn.relu(request.pixels), id=request.id.tf())

    with answering(name, handler), tb.Client(name, Picture, Picture) as client:
        value = np.linspace(-1, 1, 192, dtype=np.float32).reshape(3, 4, 16)
        for number in range(4):
            reply = client.call(pixels=value, id=number)
            assert np.array_equal(reply.pixels.numpy(), np.maximum(value, 0)) and reply.id.item() == number
            del reply
    assert eventually(lambda: service.free_slots == 2)
    assert FRAMEWORK.label == "TensorFlow" and len(DTYPES) == 17
