"""A request that only reads has given its connection back when its endpoint has returned, and Postgres says so."""

import gc
from collections.abc import Iterator

import httpx
import pytest
from sqlalchemy import URL
from tests.runtime.bookshop import RESPONSES, Shop, async_app, async_ways, opened, sync_app, sync_ways
from tests.runtime.serving import connect, serve, soon

from letgo.runtime import install

STATUS = {"redirect": 307, "error": 418, "crash": 500}
PHASES = {
    "orm": "serialise",
    "dict": "serialise",
    "stream": "stream",
    "stream_using_session": "stream",
    "background": "background",
    "background_using_session": "background",
}


@pytest.fixture
def shop(database: URL) -> Iterator[Shop]:
    with opened(database) as shop:
        gc.disable()  # a connection that only the garbage collector gives back is a leak
        try:
            yield shop
        finally:
            gc.enable()


def check(shop: Shop, client: httpx.Client, path: str, response: str) -> None:
    shop.seen.clear()
    answer = client.get(path)
    assert soon(lambda: response not in PHASES or PHASES[response] in shop.seen), path
    assert soon(lambda: not shop.idle() and not shop.checked_out()), path
    assert answer.status_code == STATUS.get(response, 200), (path, answer.text)
    expected = {PHASES[response]: 0} if response in PHASES else {}
    if "entry" in shop.seen:
        expected["entry"] = 0
    if "begin_block" in path:  # the transaction is in the hands of a `with` that ends when FastAPI ends it
        for phase in ("entry", "stream", "background"):
            expected.pop(phase, None)
            shop.seen.pop(phase, None)
    assert shop.seen == expected, path


@pytest.mark.parametrize("response", RESPONSES)
def test_no_transaction_of_a_sync_endpoint_is_open_after_it_has_returned(shop: Shop, response: str) -> None:
    with serve(install(sync_app(shop))) as address, connect(address) as client:
        for way in sync_ways(shop):
            if way.name == "session_dependency" and response.endswith("session"):
                continue  # tests/runtime/test_session_dependency.py
            check(shop, client, f"/read/{way.name}/{response}", response)


@pytest.mark.parametrize("response", RESPONSES)
def test_no_transaction_of_an_async_endpoint_is_open_after_it_has_returned(shop: Shop, response: str) -> None:
    with serve(install(async_app(shop))) as address, connect(address) as client:
        for way in async_ways(shop):
            if way.name == "session_dependency" and response.endswith("session"):
                continue
            check(shop, client, f"/read/{way.name}/{response}", response)


def test_without_letting_go_the_same_endpoint_holds_through_serialisation(shop: Shop) -> None:
    with serve(sync_app(shop)) as address, connect(address) as client:
        client.get("/read/teardown/orm")
    assert shop.seen == {"entry": 1, "serialise": 1}
