"""What a handler has written is saved before the status goes out, or not at all: as the app's own code says."""

from collections.abc import Iterator

import pytest
from sqlalchemy import URL
from tests.runtime.bookshop import KINDS, App, Shop, Ways, opened
from tests.runtime.serving import connect, serve, soon

from letgo.runtime import install


@pytest.fixture
def shop(database: URL) -> Iterator[Shop]:
    with opened(database) as shop:
        yield shop


@KINDS
def test_what_the_app_saves_is_saved_when_the_status_arrives(shop: Shop, app: App, ways: Ways) -> None:
    with serve(install(app(shop))) as address, connect(address) as client:
        for way in ways(shop):
            answer = client.post(f"/write/{way.name}", params={"title": way.name})
            saved = way.name in shop.titles()
            assert (answer.status_code, saved) == (200, way.saves), way.name
        assert soon(lambda: not shop.idle() and not shop.checked_out())
        assert shop.seen == {"serialise": 0}


@KINDS
@pytest.mark.parametrize("fail", ["raise", "answer"])
def test_nothing_is_saved_when_the_endpoint_raises_or_its_answer_is_not_valid(
    shop: Shop, app: App, ways: Ways, fail: str
) -> None:
    with serve(install(app(shop))) as address, connect(address) as client:
        for way in ways(shop):
            answer = client.post(f"/write/{way.name}", params={"title": way.name, "fail": fail})
            assert answer.status_code == {"raise": 409, "answer": 500}[fail], way.name
            assert soon(lambda: not shop.idle() and not shop.checked_out()), way.name
            assert (way.name in shop.titles()) == (fail == "answer" and way.commits_itself), way.name


@KINDS
def test_a_commit_that_fails_is_an_error_to_the_client(shop: Shop, app: App, ways: Ways) -> None:
    with serve(install(app(shop))) as address, connect(address) as client:
        for way in ways(shop):
            answer = client.post(f"/write/{way.name}", params={"title": "Emma"})
            assert answer.status_code == (500 if way.saves else 200), way.name
            assert soon(lambda: not shop.idle() and not shop.checked_out()), way.name
    assert shop.titles() == {"Emma"}


@KINDS
def test_a_policy_to_commit_saves_what_would_have_been_rolled_back(shop: Shop, app: App, ways: Ways) -> None:
    with serve(install(app(shop), unsaved="commit")) as address, connect(address) as client:
        answer = client.post("/write/teardown", params={"title": "teardown"})
    assert answer.status_code == 200
    assert shop.titles() == {"Emma", "teardown"}


@KINDS
def test_a_policy_to_refuse_makes_unsaved_work_an_error(shop: Shop, app: App, ways: Ways) -> None:
    with serve(install(app(shop), unsaved="refuse")) as address, connect(address) as client:
        assert client.post("/write/commits_after_yield", params={"title": "unsaved"}).status_code == 500
        assert client.post("/write/commit_and_refresh", params={"title": "saved"}).status_code == 200
    assert shop.titles() == {"Emma", "saved"}
