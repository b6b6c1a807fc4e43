"""JSON over HTTP with FastAPI: `tutorial`, as its documentation shows it, with `requests` as the client; `fast`, with orjson at
both ends and no validation."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from . import SHAPE, Calls, How, answer, requests, server
from .http_bytes import connection_to, post, run_uvicorn

JSON = "application/json"


def serve(arguments: list[str]) -> None:
    import orjson
    import pydantic
    from fastapi import FastAPI, Request, Response

    application = FastAPI()

    class Photo(pydantic.BaseModel):
        pixels: list[list[list[float]]]

    def tutorial(photo: Photo) -> dict[str, float]:
        return {"answer": answer(np.asarray(photo.pixels, np.float32))}

    async def fast(request: Request) -> Response:
        photo = orjson.loads(await request.body())
        reply = {"answer": answer(np.asarray(photo["pixels"], np.float32))}
        return Response(orjson.dumps(reply), media_type=JSON)

    # What FastAPI reads are the types themselves, not their names.
    tutorial.__annotations__["photo"], fast.__annotations__["request"] = Photo, Request
    fast.__annotations__["return"] = Response
    application.post("/tutorial")(tutorial)
    application.post("/fast")(fast)
    run_uvicorn(application)


@contextmanager
def listening(how: How) -> Iterator[str]:
    with server("http_json") as port:
        yield port


@contextmanager
def connect(port: str, how: How) -> Iterator[Calls]:
    yield (tutorial if how.variant == "tutorial" else fast)(port)


@contextmanager
def open(how: How) -> Iterator[Calls]:
    with listening(how) as port, connect(port, how) as calls:
        yield calls


def fast(port: str) -> Calls:
    import orjson

    connection = connection_to(port)
    bodies = {value: encode(pixels) for value, pixels in requests().items()}
    pixels = np.empty(SHAPE, np.float32)

    def ready(value: float) -> float:
        return orjson.loads(post(connection, bodies[value], JSON, "/fast"))["answer"]

    def written(value: float) -> float:
        pixels.fill(value)
        return orjson.loads(post(connection, encode(pixels), JSON, "/fast"))["answer"]

    return Calls(ready, written)


def encode(pixels: np.ndarray) -> bytes:
    import orjson

    return orjson.dumps({"pixels": pixels}, option=orjson.OPT_SERIALIZE_NUMPY)


def tutorial(port: str) -> Calls:
    import requests as client

    session, url = client.Session(), f"http://127.0.0.1:{port}/tutorial"
    bodies = {value: json.dumps({"pixels": pixels.tolist()}) for value, pixels in requests().items()}
    pixels = np.empty(SHAPE, np.float32)

    def ready(value: float) -> float:
        return session.post(url, data=bodies[value], headers={"Content-Type": JSON}).json()["answer"]

    def written(value: float) -> float:
        pixels.fill(value)
        return session.post(url, json={"pixels": pixels.tolist()}).json()["answer"]

    return Calls(ready, written)
