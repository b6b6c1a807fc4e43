"""What a loan does when no slot is free, and clients that may hold so many and no more."""

from __future__ import annotations

import asyncio
import pickle
import threading
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
from conftest import Hosts, answering
from programs.batching import Numbers, Sum, add_up
from records import Number

# So short that a test may wait for it, and long for a slot that is free.
SOON = 0.05


def values(receiver: tb.Receiver[Number]) -> list[int]:
    found = []
    while (number := receiver.try_receive()) is not None:
        with number:
            found.append(number.value.item())
    return found


def test_a_sender_that_rejects_fails_at_once_and_one_that_blocks_at_its_deadline(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, slots=2)
    with tb.Sender(name, Number, when_full="reject") as rejects, tb.Sender(name, Number) as blocks:
        rejects.send(value=0)
        rejects.send(value=1)
        with pytest.raises(tb.Full, match="no free slot among the 2") as rejected:
            rejects.loan(timeout=60.0)
        assert (rejected.value.waited, rejected.value.budget, rejected.value.slots) == (0.0, None, 2)
        with pytest.raises(tb.Full):
            asyncio.run(rejects.loan_async(timeout=60.0))
        with pytest.raises(tb.Full) as waited:
            blocks.loan(timeout=SOON)
        assert waited.value.waited == SOON
        with tb.Receiver(name, Number) as receiver:
            assert values(receiver) == [0, 1]


def test_a_sender_that_drops_the_oldest_keeps_the_newest_in_order(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, slots=4)
    with tb.Sender(name, Number, when_full="drop_oldest") as sender, tb.Receiver(name, Number) as receiver:
        for value in range(10):
            sender.send(value=value)
        assert sender.dropped == 6
        assert values(receiver) == [6, 7, 8, 9]

        async def send(value: int) -> None:
            with await sender.loan_async() as number:
                number.set(value=value).send()

        for value in range(5):
            asyncio.run(send(value))
        assert sender.dropped == 7
        again = pickle.loads(pickle.dumps(sender))
        again.send(value=5)
        assert (again.dropped, values(receiver)) == (1, [2, 3, 4, 5])
        again.close()


def test_a_record_that_its_sender_still_reads_is_passed_over(hosts: Hosts, name: str) -> None:
    hosts.channel(name, Number, slots=2)
    with tb.Sender(name, Number, when_full="drop_oldest") as sender, tb.Receiver(name, Number) as receiver:
        with sender.loan() as number:
            number.value = 1
            alias = number.value.numpy()
            number.send()
        for value in range(2, 6):
            sender.send(value=value)
        assert (alias.item(), sender.dropped) == (1, 3)
        del alias
        assert values(receiver) == [1, 5]


def test_what_makes_no_sense_is_refused(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number)
    with pytest.raises(tb.WrongKind, match="one-way channels"):
        tb.Client(name, Number, Number, when_full="drop_oldest")  # type: ignore[call-overload]
    with pytest.raises(ValueError, match="when_full is"):
        tb.Client(name, Number, Number, when_full="never")  # type: ignore[call-overload]
    for slots in (0, -1):
        with pytest.raises(ValueError, match="max_slots is 1 or more"):
            tb.Client(name, Number, Number, max_slots=slots)
        with pytest.raises(ValueError, match="slots_per_client is 1 or more"):
            tb.Service(f"{name}.other", Number, Number, slots_per_client=slots)
        with pytest.raises(ValueError, match="slots_per_client is at least 1"):
            tb.service(name, Number, Number, slots_per_client=slots)


@pytest.mark.parametrize(("own", "host", "most"), [(2, None, 2), (None, 3, 3), (2, 3, 2), (6, 3, 3)])
def test_a_client_holds_as_many_slots_as_it_and_the_host_allow(
    hosts: Hosts, name: str, own: int | None, host: int | None, most: int
) -> None:
    hosts.service(name, Number, Number, slots=8, slots_per_client=host)
    with tb.Client(name, Number, Number, max_slots=own) as client, tb.Client(name) as other:
        loans = [client.loan() for _ in range(most)]
        assert client.try_loan() is None
        for loan in (lambda: client.loan(timeout=SOON), lambda: asyncio.run(client.loan_async(timeout=SOON))):
            with pytest.raises(tb.Full, match="max_slots") as full:
                loan()
            assert full.value.budget == most
        other.loan().release()
        loans.pop().release()
        client.loan().release()
        for record in loans:
            record.release()


def test_replies_count_until_they_are_gone_and_wake_those_that_wait(hosts: Hosts, name: str) -> None:
    hosts.service(name, Numbers, Sum, slots=8)
    terms = np.arange(8, dtype=np.uint64)
    with answering(name, add_up, Numbers, Sum), tb.Client(name, Numbers, Sum, max_slots=2) as client:
        for number in range(50):
            kept = [client.call(caller=number, terms=terms) for _ in range(2)]
            assert client.try_loan() is None
            totals: list[int] = []

            def call(number: int = number, totals: list[int] = totals) -> None:
                with client.call(caller=number, terms=terms * 2) as reply:
                    totals.append(int(reply.total))

            async def call_async(number: int = number, totals: list[int] = totals) -> None:
                with await client.call_async(caller=number, terms=terms * 3) as reply:
                    totals.append(int(reply.total))

            waits = [threading.Thread(target=call), threading.Thread(target=lambda: asyncio.run(call_async()))]
            for thread in waits:
                thread.start()
            for reply in kept:
                assert int(reply.total) == 28
                reply.release()
            del kept, reply
            for thread in waits:
                thread.join()
            assert sorted(totals) == [56, 84]


def test_many_awaited_calls_share_a_small_budget(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Numbers, Sum, slots=8, ring_order=True)
    together: list[int] = []

    def handler(asked: Numbers, answer: Sum) -> None:
        together.append(asked.records or 0)
        add_up(asked, answer)

    async def calls(client: tb.Client[Any, Any]) -> None:
        async def call(number: int) -> None:
            with await client.call_async(caller=number, terms=np.full(8, number, np.uint64)) as reply:
                assert (int(reply.caller), int(reply.total)) == (number, number * 8)

        await asyncio.gather(*(call(number) for number in range(200)))

    with answering(name, handler, Numbers, Sum, max_batch=8), tb.Client(name, Numbers, Sum, max_slots=3) as client:
        asyncio.run(calls(client))
    assert sum(together) == 200 and max(together) <= 3
    assert service.free_slots == 8
