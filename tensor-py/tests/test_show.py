"""How things are shown: what they are, never their data, and without an alias."""

from __future__ import annotations

import pydoc

import pytest
import tensorbridge as tb
from conftest import Hosts
from records import Image, Tokens


def test_a_record_shows_its_fields(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image)
    with tb.Sender(name, Image, strict=True) as sender, tb.Receiver(name, Image) as receiver:
        with sender.loan() as image:
            image.pixels = 1234.5
            text = repr(image)
            assert text == (
                "<Image (test.image), to be filled\n"
                "  pixels  f32  [3, 4, 5]  written      nit  RGB planes.\n"
                "  id      u64  []         not written       The caller's number.>"
            )
            assert "1234" not in text
            image.id = 1
            image.send()
            assert repr(image).startswith("<Image (test.image), sent\n  pixels  f32  [3, 4, 5]")
        with receiver.receive() as got:
            assert "received" in repr(got) and "present" in repr(got)


def test_a_run_shows_lengths_and_absence() -> None:
    tokens = Tokens.empty(4)
    assert "[4, seq]" in repr(tokens) and "a run of 4" in repr(tokens)
    tokens.seq = 3
    assert "[4, seq=3]" in repr(tokens) and "optional, absent" in repr(tokens)


def test_notebooks_get_a_table() -> None:
    class Odd(tb.Record, name="test.odd"):
        """A <b>bold</b> one."""

        x = tb.f32(2, doc="1 < 2", unit="m/s")

    page = Odd.empty(1)._repr_html_()
    assert "<table>" in page and "1 &lt; 2" in page and "m/s" in page and "&lt;b&gt;bold" in page


def test_help_and_completion_make_no_alias(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Image)
    with tb.Sender(name, Image) as sender, sender.loan() as image:
        assert {"pixels", "id", "send", "torch"} <= set(dir(image))
        assert image._ipython_key_completions_() == ["pixels", "id"]
        text = pydoc.plain(pydoc.render_doc(Image))
        assert "A small picture." in text
        assert " |  pixels\n |      f32 [3, 4, 5], nit\n |      \n |      RGB planes.\n" in text
        assert " |  id\n |      u64 []\n" in text
        assert pydoc.plain(pydoc.render_doc(image)) and image._repr_html_()
        assert [pin.fields for pin in tb.pins()] == [()], "nothing of it aliases the record"
    text = pydoc.plain(pydoc.render_doc(Tokens))
    assert " |      A symbolic dimension: 1 to 16.\n" in text and "bool [seq], optional" in text
    assert "gives the field" in (tb.Column.__doc__ or "") and "declared once" in (tb.Dim.__doc__ or "")


def test_fields_and_endpoints_have_names(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image)
    assert repr(Image.empty(2).pixels) == "<Field pixels: f32[2, 3, 4, 5] of test.image>"
    assert "`seq`" in repr(Tokens.empty(1).ids)
    assert repr(Image.pixels) == "<tb.f32(3, 4, 5) 'pixels'>" and repr(Tokens.seq) == "tb.Dim(1, 16)"
    with tb.Sender(name) as sender:
        assert repr(sender) == f"<Sender of {name!r}>"
    assert repr(sender) == f"<closed Sender of {name!r}>" and repr(channel) == f"<Channel {name!r}>"


def test_a_record_is_a_mapping() -> None:
    image = Image.empty(1)
    assert list(image) == ["pixels", "id"] and len(image) == 2 and "pixels" in image
    assert {key: field.shape for key, field in image.items() if field is not None} == {
        "pixels": (1, 3, 4, 5),
        "id": (1,),
    }
    assert set(image.torch()) == set(image.numpy()) == {"pixels", "id"}
    assert dict(**image).keys() == image.keys()
    assert image == image and image != Image.empty(1) and len({image, image}) == 1
    image["id"] = 5
    assert image["id"] is not None and int(image["id"]) == 5


def test_optional_fields_read_as_none(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Tokens)
    with tb.Sender(name, Tokens) as sender, tb.Receiver(name, Tokens) as receiver:
        sender.send(seq=2, ids=[1, 2])
        with receiver.receive() as got:
            assert got.mask is None and got["grid"] is None and got.seq == 2
            assert got.present == {"ids": True, "mask": False, "grid": False}
            assert got.torch()["mask"] is None and got.numpy()["grid"] is None
        with sender.loan() as tokens:
            assert tokens.mask is not None, "a field that can be filled is there"
            with pytest.raises(tb.DimUnset):
                tokens.send()
        sender.send(seq=2, ids=[1, 2], mask=[True, False])
        with receiver.receive() as got:
            assert got.mask is not None and got.mask.tolist() == [True, False]
