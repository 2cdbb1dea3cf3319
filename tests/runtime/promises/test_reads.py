"""A request that only reads has given its connection back when its endpoint has returned, and Postgres says so."""

import gc
from collections.abc import Iterator
from itertools import product

import httpx
import pytest
from sqlalchemy import URL
from tests.runtime.bookshop import KINDS, RESPONSES, App, Shop, Ways, opened, sync_app
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


@KINDS
def test_no_transaction_is_open_once_the_endpoint_has_returned(shop: Shop, app: App, ways: Ways) -> None:
    with serve(install(app(shop))) as address, connect(address) as client:
        for way, response in product(ways(shop), RESPONSES):
            if way.name == "session_dependency" and response.endswith("using_session"):
                continue  # is an error, on purpose: see test_apps.py
            check(shop, client, f"/read/{way.name}/{response}", response)


def test_without_letting_go_the_same_endpoint_holds_through_serialisation(shop: Shop) -> None:
    with serve(sync_app(shop)) as address, connect(address) as client:
        client.get("/read/teardown/orm")
    assert shop.seen == {"entry": 1, "serialise": 1}
