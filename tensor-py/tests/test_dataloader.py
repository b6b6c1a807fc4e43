"""`torch.utils.data.DataLoader`: endpoints in the datasets of worker processes, and aliases on their way back."""

from __future__ import annotations

import copy
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, answering
from records import Image, Number
from torch.utils.data import DataLoader, Dataset, IterableDataset

METHODS = ("fork", "spawn")
END = 10_000


class Called(Dataset[torch.Tensor]):
    """Asks a service for its items."""

    def __init__(self, client: tb.Client[Number, Number]) -> None:
        self.client = client

    def __len__(self) -> int:
        return 6

    def __getitem__(self, index: int) -> torch.Tensor:
        return self.client.call(value=index).value.torch()


class Received(IterableDataset[Any]):
    """What a channel brings, up to the end mark: each worker gets other records."""

    def __init__(self, receiver: tb.Receiver[Image]) -> None:
        self.receiver = receiver

    def __iter__(self) -> Iterator[tuple[int, torch.Tensor]]:
        for image in copy.copy(self.receiver):
            number = image.id.item()
            if number == END:
                return
            yield int(number), image.pixels.torch()


def double(number: Number, answer: Number) -> None:
    answer.value[:] = number.value.numpy() * 2


def items(loader: DataLoader[Any]) -> list[Any]:
    return list(loader)


def test_an_endpoint_of_before_the_fork_says_what_to_do(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number)
    with answering(name, double), tb.Client(name, Number, Number) as client:
        loader = DataLoader(Called(client), num_workers=1, multiprocessing_context="fork")
        with pytest.raises(tb.Forked, match=r"copy\.copy\(endpoint\).*spawn"):
            items(loader)
        assert client.call(value=4).value.item() == 8, "the parent's own is as it was"


@pytest.mark.parametrize("method", METHODS)
def test_a_dataset_calls_a_service(hosts: Hosts, name: str, method: str) -> None:
    """A spawned worker connects when it unpickles the dataset, a forked one with a copy that has not connected yet."""
    # Two workers hold the replies of a batch of three each until they are collated.
    hosts.service(name, Number, Number, slots=8)
    with answering(name, double), tb.Client(name, Number, Number) as client:
        ours = copy.copy(client) if method == "fork" else client
        loader = DataLoader(Called(ours), num_workers=2, batch_size=3, multiprocessing_context=method)
        assert [batch.tolist() for batch in items(loader)] == [[0, 2, 4], [6, 8, 10]]


@pytest.mark.parametrize("method", METHODS)
def test_a_dataset_receives_and_its_aliases_go_through_the_loaders_queue(hosts: Hosts, name: str, method: str) -> None:
    """The loader keeps every item, of many more than there are slots: each alias gives its slot back on the way."""
    channel = hosts.channel(name, Image, slots=4)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:

        def send() -> None:
            for number in range(24):
                sender.send(pixels=float(number), id=number, timeout=120.0)
            for _ in range(2):
                sender.send(pixels=0.0, id=END, timeout=120.0)

        thread = threading.Thread(target=send)
        thread.start()
        loader = DataLoader(Received(receiver), num_workers=2, batch_size=None, multiprocessing_context=method)
        got = items(loader)
        thread.join()
        assert sorted(number for number, _ in got) == list(range(24))
        assert all(pixels.shape == (3, 4, 5) and pixels.eq(number).all() for number, pixels in got)
        assert receiver.try_receive() is None and channel.free_slots == 4


def test_a_batch_is_collated_in_the_worker(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=8)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        for number in (0, 1, 2, 3, END):
            sender.send(pixels=float(number), id=number)
        loader = DataLoader(Received(receiver), num_workers=1, batch_size=2, multiprocessing_context="fork")
        assert [numbers.tolist() for numbers, _ in items(loader)] == [[0, 1], [2, 3]]
        assert channel.free_slots == 8


def test_torch_moves_a_tensor_that_it_shares_and_the_slot_comes_back(hosts: Hosts, name: str) -> None:
    channel = hosts.channel(name, Image, slots=2)
    with tb.Sender(name, Image) as sender, tb.Receiver(name, Image) as receiver:
        sender.send(pixels=3.0, id=1)
        image = receiver.receive()
        moved, view = image.pixels.torch(), image.pixels.torch()
        row = moved[1]
        moved.share_memory_()
        assert moved.data_ptr() != image.pixels.data_ptr == view.data_ptr()
        assert row.data_ptr() != view[1].data_ptr(), "torch moves the storage, with all that shares it"
        image.release()
        del view
        assert channel.free_slots == 2, "what was moved holds nothing"
        sender.send(pixels=9.0, id=2)
        assert moved.eq(3).all() and row.eq(3).all()
        receiver.receive().release()
