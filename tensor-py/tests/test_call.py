"""Calls between endpoints of this process."""

from __future__ import annotations

import gc
import os
import pydoc
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import tensorbridge as tb
import torch
from conftest import Hosts, answering
from records import Image, Number, Scores


def rank(image: Image, scores: Scores) -> None:
    pixels = image.pixels.torch()
    scores.logits[:] = pixels.sum((1, 2, 3))[:, None] + torch.arange(10)
    scores.best = 9


def test_a_client_and_a_class_that_hold_each_other_are_collected(hosts: Hosts, name: str) -> None:
    hosts.service(name, Image, Scores)

    class Mine(Image):
        client: Any = None

    Mine.client = tb.Client(name, Mine, Scores)
    with Mine.client.loan():
        pass
    gone = weakref.ref(Mine.client)
    del Mine
    gc.collect()
    assert gone() is None


def test_a_call_is_answered(hosts: Hosts, name: str) -> None:
    hosts.service(name, Image, Scores)
    with answering(name, rank), tb.Client(name, Image, Scores) as client:
        with client.loan() as image:
            image.pixels[:] = np.ones((3, 4, 5), np.float32)
            image.id = 3
            scores = image.call()
        assert isinstance(scores, Scores)
        assert scores.logits.torch().tolist() == [60.0 + i for i in range(10)]
        assert client.call(pixels=2.0, id=1).logits.numpy()[0] == 120.0


def test_the_handler_sees_runs(hosts: Hosts, name: str) -> None:
    seen: list[Any] = []

    def handler(image: Image, scores: Scores) -> None:
        seen.append((image.pixels.shape, image.id.shape, scores.best.shape, torch.is_inference_mode_enabled()))
        scores.logits, scores.best = 0.0, [1]

    hosts.service(name, Image, Scores)
    with answering(name, handler), tb.Client(name, Image, Scores) as client:
        client.call(pixels=0.0, id=1)
    assert seen == [((1, 3, 4, 5), (1,), (1,), True)]


def test_a_class_is_testable_without_a_service() -> None:
    image, scores = Image.empty(4), Scores.empty(4)
    image.pixels = 1.0
    rank(image, scores)
    assert scores.logits.shape == (4, 10) and scores.logits.numpy()[:, 0].tolist() == [60.0] * 4
    assert scores.present == {"logits": True, "best": True}


def test_an_exception_reaches_the_caller_and_the_worker_lives_on(hosts: Hosts, name: str) -> None:
    def handler(number: Number, answer: Number) -> None:
        alias = number.value.torch()
        if int(number.value) < 0:
            raise ValueError(f"{alias.item()} is below 0")
        answer.value = int(number.value) * 2

    service = hosts.service(name, Number, Number, slots=2)
    with answering(name, handler), tb.Client(name, Number, Number) as client:
        for _ in range(5):
            with pytest.raises(tb.RemoteError, match="the worker raised ValueError: -1 is below 0") as caught:
                client.call(value=-1)
            error = caught.value
            assert (error.code, error.type_name, error.message) == ("TB504", "ValueError", "-1 is below 0")
            assert "in handler" in error.traceback and "_worker.py" not in error.traceback
            assert "The worker's traceback" in error.__notes__[0]
        assert client.call(value=4).value.item() == 8
        assert service.free_slots == 2


def test_nothing_that_a_handler_raises_ends_the_worker(hosts: Hosts, name: str) -> None:
    def handler(number: Number, answer: Number) -> None:
        if int(number.value) == 0:
            raise SystemExit("enough")
        if int(number.value) == 1:
            raise ExceptionGroup("two", [ValueError("one"), TypeError("other")])
        answer.value = 7

    hosts.service(name, Number, Number)
    with answering(name, handler), tb.Client(name, Number, Number) as client:
        with pytest.raises(tb.Remote, match="SystemExit: enough"):
            client.call(value=0)
        with pytest.raises(tb.Remote, match="ExceptionGroup: two") as caught:
            client.call(value=1)
        assert "TypeError: other" in caught.value.traceback
        assert client.call(value=2).value.item() == 7


class Textless(Exception):
    """Has no text."""

    def __str__(self) -> str:
        raise SystemExit("no text")


class Closed:
    """Whoever asks what it has is told to go away."""

    def __dir__(self) -> list[str]:
        raise SystemExit("nothing to see")


BAD_NAME = os.fsdecode(b"caf\xe9")

FAILURES: list[tuple[BaseException, str]] = [
    (Textless(), "<exception str() failed>"),
    (FileNotFoundError(2, "no such file", BAD_NAME), r"[Errno 2] no such file: 'caf\udce9'"),
    (ValueError(BAD_NAME), r"caf\udce9"),
    (AttributeError("lost", name="lots", obj=Closed()), "lost"),
]


@pytest.mark.parametrize(("error", "text"), FAILURES, ids=lambda of: type(of).__name__)
@pytest.mark.parametrize("alone", [False, True])
def test_an_exception_that_cannot_be_shown_reaches_its_caller(
    hosts: Hosts, name: str, error: BaseException, text: str, alone: bool
) -> None:
    def handler(number: Number, answer: Number) -> None:
        if int(number.value) == 0:
            if not alone:
                raise error
            answer.fail(0, error)
        answer.value = 7

    hosts.service(name, Number, Number)
    with answering(name, handler), tb.Client(name, Number, Number) as client:
        with pytest.raises(tb.Remote) as caught:
            client.call(value=0)
        assert (caught.value.type_name, caught.value.message) == (type(error).__name__, text)
        assert text in caught.value.traceback
        assert client.call(value=1).value.item() == 7


def test_a_caller_may_be_told_any_text(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number)
    with (
        answering(name, lambda number, answer: answer.fail(0, BAD_NAME)),
        tb.Client(name, Number, Number) as client,
        pytest.raises(tb.Remote, match=r"Failure: caf\\udce9"),
    ):
        client.call(value=1)


@pytest.mark.parametrize("fails", [False, True])
def test_a_handler_may_not_let_go_of_its_callers_answer(hosts: Hosts, name: str, fails: bool) -> None:
    def handler(number: Number, answer: Number) -> None:
        with number, answer:
            answer.value = int(number.value) + 1
        number.row(0).release()
        for record in (number, answer):
            record.release()
        if fails:
            raise ValueError(f"{int(number.value)}")

    hosts.service(name, Number, Number)
    with answering(name, handler), tb.Client(name, Number, Number) as client:
        for value in range(3):
            if fails:
                with pytest.raises(tb.Remote, match=f"ValueError: {value}"):
                    client.call(value=value)
            else:
                assert client.call(value=value).value.item() == value + 1


def test_a_server_that_is_closed_finishes_its_call(hosts: Hosts, name: str) -> None:
    entered, closed = threading.Event(), threading.Event()

    def handler(number: Number, answer: Number) -> None:
        entered.set()
        closed.wait(10)
        answer.value = 1

    hosts.service(name, Number, Number)
    server = tb.Server(name, Number, Number)
    with tb.Client(name, Number, Number) as client, ThreadPoolExecutor(2) as threads:
        serving = threads.submit(server.serve, handler)
        call = threads.submit(client.call, value=0)
        assert entered.wait(10)
        server.close()
        closed.set()
        assert call.result().value.item() == 1
        serving.result()
    with pytest.raises(tb.Closed):
        server.serve(handler)


def test_a_reply_that_lacks_a_field_is_the_workers_mistake(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number)
    with (
        answering(name, lambda number, answer: None),
        tb.Client(name, Number, Number) as client,
        pytest.raises(tb.Remote, match=r"required field `value` of `test\.number` was never written"),
    ):
        client.call(value=1)


def test_records_are_released_after_the_handler(hosts: Hosts, name: str) -> None:
    kept: list[Number] = []

    def handler(number: Number, answer: Number) -> None:
        kept.extend((number, answer))
        answer.value = 1

    hosts.service(name, Number, Number)
    with answering(name, handler), tb.Client(name, Number, Number) as client:
        client.call(value=1)
        for record in kept:
            with pytest.raises(tb.Released, match="answered"):
                record.value.item()


def test_what_a_handler_returns_is_gone_before_the_answer_is_sent(hosts: Hosts, name: str) -> None:
    answered, gone = threading.Event(), threading.Event()
    seen: list[bool] = []

    class Result:
        def __init__(self, alias: Any) -> None:
            self.alias = alias

        def __del__(self) -> None:
            seen.append(answered.wait(0.3))
            gone.set()

    def handler(number: Number, answer: Number) -> Result:
        answer.value = 1
        return Result(answer.value.numpy())

    # Nothing of the package's between the handler and the extension, as the look for requests that were written into would be.
    hosts.service(name, Number, Number, mutates_request=True)
    with answering(name, handler, mutates_request=True), tb.Client(name, Number, Number) as client:
        client.call(value=1)
        answered.set()
        assert gone.wait(30)
    assert seen == [False]


def test_no_del_of_a_record_class_sees_an_object_without_a_record(hosts: Hosts, name: str) -> None:
    seen: list[int] = []

    class Reply(tb.Record, name="test.number"):
        value = tb.i64()

        def __del__(self) -> None:
            seen.append(self.value.item())

    def handler(number: Number, answer: Number) -> None:
        if number.value.item() < 0:
            raise ValueError
        answer.value = 2 * number.value.item()

    hosts.service(name, Number, Number)
    with answering(name, handler), tb.Client(name, Number, Reply) as client:
        with pytest.raises(tb.Remote):
            client.call(value=-1)
        assert client.call(value=4).value.item() == 8
        assert seen == [8]


@pytest.mark.parametrize("method", [tb.Client.loan, tb.Record.call])
def test_help_tells_the_arguments_of_what_calls_go_through(method: Any) -> None:
    text = pydoc.render_doc(method)
    assert "timeout=" in text and "Args:" in text and "Raises:" in text


def test_a_handler_that_writes_into_its_request_fails(hosts: Hosts, name: str) -> None:
    def handler(image: Image, scores: Scores) -> None:
        image.pixels.torch()[0, 0, 0, 0] = 1.0
        scores.logits, scores.best = 0.0, 0

    hosts.service(name, Image, Scores)
    with (
        answering(name, handler),
        tb.Client(name, Image, Scores) as client,
        pytest.raises(tb.Remote, match=r"wrote into its request \(pixels\)"),
    ):
        client.call(pixels=0.0, id=1)


def test_a_service_may_say_that_it_writes_into_requests(hosts: Hosts, name: str) -> None:
    def handler(number: Number, answer: Number) -> None:
        number.value[:] = 5
        answer.value[:] = number.value

    hosts.service(name, Number, Number, mutates_request=True)
    with answering(name, handler, mutates_request=True), tb.Client(name, Number, Number) as client:
        assert client.call(value=1).value.item() == 5


def test_many_threads_call_at_once(hosts: Hosts, name: str) -> None:
    def handler(number: Number, answer: Number) -> None:
        answer.value[:] = number.value.numpy() + 1

    hosts.service(name, Number, Number, slots=3)
    wrong: list[tuple[int, int]] = []
    with answering(name, handler), answering(name, handler), tb.Client(name, Number, Number) as client:

        def call(first: int) -> None:
            for value in range(first, first + 100):
                found = client.call(value=value).value.item()
                if found != value + 1:
                    wrong.append((value, found))

        threads = [threading.Thread(target=call, args=(1000 * number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong


def test_a_call_that_nobody_answers_times_out(hosts: Hosts, name: str) -> None:
    service = hosts.service(name, Number, Number)
    with tb.Client(name, Number, Number, timeout=0.05) as client:
        with pytest.raises(tb.Timeout, match="the reply"):
            client.call(value=1)
        assert service.free_slots == 4
        with pytest.raises(tb.Timeout, match="the reply"), client.loan() as number:
            number.set(value=1).call(timeout=0.01)


def test_unknown_names_are_named(hosts: Hosts, name: str) -> None:
    hosts.service(name, Number, Number)
    with tb.Client(name, Number, Number) as client, client.loan() as number:
        with pytest.raises(tb.UnknownField, match="no field `volume`; it has: value") as caught:
            client.call(volume=1)
        assert caught.value.code == "TB406"
        with pytest.raises(AttributeError):
            number.volume = 1  # type: ignore[attr-defined]
        with pytest.raises(AttributeError):
            _ = number.volume  # type: ignore[attr-defined]
        with pytest.raises(KeyError):
            _ = number["volume"]
        assert "volume" not in number and number.get("volume") is None
