"""Records within records: columns with dotted names, seen as records of their own."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, answering


class Pose(tb.Record, name="test.pose"):
    """Where something is."""

    points = tb.Dim(1, 4)
    position = tb.f32(3, unit="m", doc="In the world.")
    outline = tb.f32(points, 2, optional=True, pad=-1)


class Belief(tb.Record, name="test.belief"):
    weight = tb.f64()
    rank = tb.i16(optional=True)


class Sighting(tb.Record, name="test.sighting"):
    pose = tb.nested(Pose)
    belief = tb.nested(Belief, optional=True, doc="How sure it is.")
    stamp = tb.u64()


class Scene(tb.Record, name="test.scene"):
    """Something and where it is."""

    n = tb.Dim(1, 2)
    id = tb.u64()
    first = tb.nested(Sighting)
    weights = tb.f32(n)
    last = tb.nested(Pose, optional=True)


LEAVES = [
    "id",
    "first.pose.position",
    "first.pose.outline",
    "first.belief.weight",
    "first.belief.rank",
    "first.stamp",
    "weights",
    "last.position",
    "last.outline",
]


def complete(scene: Scene) -> Scene:
    return scene.set(
        id=1, n=2, weights=[5.0, 6.0], first={"pose": {"position": [1.0, 2.0, 3.0]}, "stamp": 4}
    )


def test_a_nested_record_stands_for_its_fields() -> None:
    schema = Scene.schema
    assert [field.name for field in schema.fields] == LEAVES == list(Scene.empty(1))
    assert [dim[0] for dim in schema.dims] == ["n", "first.pose.points", "last.points"]
    outline = schema.fields[2]
    assert (outline.shape, outline.optional, outline.pad) == (("first.pose.points", 2), True, -1.0)
    assert [field.presence for field in schema.fields] == [0, 0, 1, 3, 1, 0, 0, 2, 1]
    assert (schema.fields[1].unit, schema.fields[1].doc) == ("m", "In the world.")


def test_the_fingerprint_is_that_of_rust() -> None:
    """The same schema, and the same number, as in tensor-core's test of the golden bytes of a nested record."""

    class Inner(tb.Record, name="inner"):
        n = tb.Dim(0, 4)
        x = tb.u8()
        w = tb.u8(n, optional=True)

    class Golden(tb.Record, name="a"):
        pose = tb.nested(Inner, optional=True)
        y = tb.u8()

    assert Golden.schema.fingerprint == "ea17d7db7151c50854d962857a9053cc"


def test_nested_fields_are_written_and_read(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Scene)
    with tb.Sender(name, Scene) as sender, tb.Receiver(name, Scene) as receiver:
        with sender.loan() as scene:
            scene.id, scene.n = 1, 2
            scene.weights = [5.0, 6.0]
            scene.first.pose.position[:] = torch.tensor([1.0, 2.0, 3.0])
            scene.first.stamp = 4
            assert scene.last is not None
            scene.last.points = 3
            scene["last.outline"] = np.ones((3, 2), np.float32)
            scene.last = {"position": [7.0, 8.0, 9.0]}
            assert (scene.first.pose.present, scene.last.dims) == (
                {"position": True, "outline": False},
                {"points": 3},
            )
            scene.send()
        with receiver.receive() as got:
            assert got.first.pose.position.numpy().tolist() == [1.0, 2.0, 3.0]
            assert (int(got.first.stamp), got.first.belief, got.first.pose.outline) == (4, None, None)
            assert got.last is not None and got.last.outline is not None
            assert (got.last.points, got.last.outline.shape) == (3, (3, 2))
            position = got["last.position"]
            assert position is not None and position.torch().tolist() == [7.0, 8.0, 9.0]
            tensors = got.torch()
            assert list(tensors) == LEAVES and tensors["first.belief.weight"] is None
            assert list(got.first.numpy()) == ["pose.position", "pose.outline", "belief.weight", "belief.rank", "stamp"]


def test_a_class_made_of_the_arenas_schema_nests_too(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Scene)
    with tb.Sender(name) as sender, tb.Receiver(name) as receiver:
        with sender.loan() as scene:
            assert type(scene).schema == Scene.schema and type(scene).schema.fingerprint == Scene.schema.fingerprint
            scene.set(id=1, n=2, weights=[5.0, 6.0])
            scene.first.pose.position[:] = 1.5
            scene.first = {"stamp": 4}
            scene.first.belief.weight = 0.5
            scene.send()
        with receiver.receive() as got:
            assert got.first.pose.position.numpy().tolist() == [1.5] * 3
            assert float(got.first.belief.weight) == 0.5 and got.last is None


def test_calls_take_mappings_in_mappings(hosts: Hosts, name: str) -> None:
    class Answer(tb.Record, name="test.answer"):
        pose = tb.nested(Pose)

    def copy(scene: Scene, answer: Answer) -> None:
        answer.pose.position[:] = scene.first.pose.position.numpy() * 2

    hosts.service(name, Scene, Answer)
    with answering(name, copy, Scene, Answer), tb.Client(name, Scene, Answer, timeout=30.0) as client:
        first = {"pose": {"position": [1.0, 2.0, 3.0]}, "stamp": 4}
        answer = client.call(id=1, n=1, weights=[0.0], first=first)
        assert answer.pose.position.numpy().tolist() == [2.0, 4.0, 6.0]
        answer.release()


def test_an_optional_record_is_sent_as_a_whole_or_not_at_all(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Scene)
    with tb.Sender(name, Scene) as sender, tb.Receiver(name, Scene) as receiver:
        with sender.loan() as scene:
            complete(scene)["first.belief.rank"] = 3
            with pytest.raises(tb.MissingField, match="first.belief.weight"):
                scene.send()
            scene.set(**{"first.belief.weight": 0.25})
            scene.send()
        with receiver.receive() as got:
            assert got.first.belief is not None and float(got.first.belief.weight) == 0.25


def test_mistakes_in_nested_records_are_named(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Scene)
    with tb.Sender(name, Scene) as sender, sender.loan() as scene:
        with pytest.raises(tb.UnknownField, match="`test.pose` has no field `positoin`"):
            scene.first.pose.set(positoin=1)
        with pytest.raises(tb.UnknownField, match="`nope`"):
            scene.first.pose.nope = 1  # type: ignore[attr-defined]
        with pytest.raises(tb.UnknownField, match="`first.nope`"):
            scene["first.nope"]
        with pytest.raises(tb.WrongShape, match="first.pose.position"):
            scene.first.pose.position = [1.0, 2.0]
        with pytest.raises(tb.DimOutOfRange, match="points"):
            scene.first.pose.points = 5
        with pytest.raises(tb.DimUnset, match="points"):
            print(scene.first.pose.points)
        for end in (scene.first.send, scene.first.call, scene.first.release, scene.first.pose.__enter__):
            with pytest.raises(TypeError, match="is nested in another record"):
                end()


def test_a_nested_record_alone_keeps_no_slot(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Scene, slots=2)
    with tb.Sender(name, Scene) as sender, tb.Receiver(name, Scene) as receiver:
        with sender.loan() as scene:
            complete(scene).send()
        got = receiver.receive()
        first, position = got.first, got.first.pose.position.numpy()
        got.release()
        assert channel.free_slots == 1, "the array is an alias"
        del position
        gc.collect()
        assert channel.free_slots == 2
        with pytest.raises(tb.Released):
            first.pose.position.numpy()


def test_nested_records_show_their_fields() -> None:
    scene = Scene.empty(2)
    scene.first.pose.position[:] = 0.0
    lines = repr(scene).splitlines()
    assert lines[2].split()[:5] == ["first.pose.position", "f32", "[2,", "3]", "written"]
    assert repr(scene.first.pose).splitlines()[1].split()[:5] == ["position", "f32", "[2,", "3]", "written"]
    assert Sighting.belief.__doc__ == "Belief, optional\n\nHow sure it is."
    assert repr(Scene.last) == "<tb.nested(Pose) 'last'>"
    assert "first.pose.position" in scene._repr_html_()
    assert repr(scene.first.pose.position) == "<Field first.pose.position: f32[2, 3] of test.scene>"


def test_a_run_has_nested_records(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Scene)
    with tb.Sender(name, Scene) as sender, tb.Receiver(name, Scene) as receiver:
        for number in range(2):
            with sender.loan() as scene:
                complete(scene)
                scene.first.pose.position[:] = float(number)
                if number:
                    scene.last = {"position": [7.0, 8.0, 9.0]}
                scene.send()
        with receiver.receive_many(4) as run:
            assert run.first.pose.position.numpy().tolist() == [[0.0] * 3, [1.0] * 3]
            assert (run.first.belief, run.row(0).last) == (None, None)
            # One record has it and one has not, which each of its fields says.
            assert run.last is not None and run.last.present == {"position": False, "outline": False}
            second = run.row(1).last
            assert second is not None and second.position.numpy().tolist() == [7.0, 8.0, 9.0]
            assert run.first.pose.row(1).position.numpy().tolist() == [1.0] * 3


def test_a_record_can_be_copied_into_a_nested_one() -> None:
    pose, scene = Pose.empty(1), Scene.empty(1)
    pose.set(points=2, position=[[1.0, 2.0, 3.0]])
    scene.first.pose = pose
    scene.last = scene.first.pose
    assert scene.last is not None and scene.last.dims == {"points": 2}
    assert scene.last.position.numpy().tolist() == [[1.0, 2.0, 3.0]]
    assert scene.last.present == {"position": True, "outline": False}


def test_what_cannot_be_nested_is_refused() -> None:
    with pytest.raises(TypeError, match="expected a class with tb.Record"):
        tb.nested(tb.Record)
    shared = tb.nested(Pose)

    class One(tb.Record, name="test.one"):
        pose = shared

    with pytest.raises(TypeError, match="declare it anew"):

        class Two(tb.Record, name="test.two"):
            pose = shared

    fields = {f"f{number}": tb.nested(Scene) for number in range(8)}
    with pytest.raises(tb.InvalidSchema, match="72 fields"):
        type("Large", (tb.Record,), fields, name="test.large")
