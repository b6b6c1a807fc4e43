"""A batch of requests: each field is one tensor of the framework on the memory that the callers filled."""

from __future__ import annotations

import asyncio
from typing import Any

import numpy as np
import tensorbridge as tb
from conftest import Hosts, answering
from framework import FRAMEWORK

CALLS = 32


class Mixed(tb.Record, name="test.batched"):
    """Fields of several dtypes, each of a multiple of 64 bytes."""

    pixels = tb.f32(16)
    bytes = tb.u8(2, 32)
    ids = tb.i32(16)


def request(number: int) -> dict[str, Any]:
    return {
        "pixels": np.full(16, number, np.float32),
        "bytes": np.full((2, 32), number, np.uint8),
        "ids": np.arange(number, number + 16, dtype=np.int32),
    }


def test_a_batch_of_32_is_one_tensor_a_field_where_the_callers_filled_it(hosts: Hosts, name: str) -> None:
    hosts.service(name, Mixed, Mixed, slots=CALLS, ring_order=True)
    seen: list[Any] = []

    def handler(asked: Mixed, answer: Mixed) -> None:
        before = tb.copied()
        for field in ("pixels", "bytes", "ids"):
            tensor = FRAMEWORK.open(asked[field])
            seen.append((tuple(tensor.shape), FRAMEWORK.address(tensor) == asked[field].data_ptr))
        seen.append(tb.copied() == before)
        # Each row is turned round, so that a reply that went to another caller would be seen.
        answer.pixels[:] = FRAMEWORK.open(asked.pixels) + 1
        answer.bytes[:] = 255 - FRAMEWORK.open(asked.bytes)
        answer.ids[:] = -FRAMEWORK.open(asked.ids)

    async def call(client: tb.Client[Any, Any], number: int) -> dict[str, Any]:
        reply = await client.call_async(**request(number))
        with reply:
            return {field: value.numpy().tolist() for field, value in reply.items()}

    async def call_all() -> list[dict[str, Any]]:
        with tb.Client(name, timeout=60.0) as client:
            return await asyncio.gather(*(call(client, number) for number in range(CALLS)))

    # So long that the run is waited for until it is whole, however slow the machine is.
    with answering(name, handler, Mixed, Mixed, max_batch=CALLS, max_wait=60.0):
        results = asyncio.run(call_all())
    assert seen == [((CALLS, 16), True), ((CALLS, 2, 32), True), ((CALLS, 16), True), True]
    for number, result in enumerate(results):
        assert result["pixels"] == [number + 1.0] * 16
        assert result["bytes"] == [[255 - number] * 32] * 2
        assert result["ids"] == [-number - at for at in range(16)]
