from collections.abc import Callable, Iterable
from pathlib import Path
from textwrap import dedent

import pytest

from letgo.holds import Hold, Origin, Site, Source, Wait, WaitKind
from letgo.lifetime.categories import Category
from letgo.lifetime.census import Census, Handler, take_census
from letgo.lifetime.convention import Verdict
from letgo.lifetime.endpoints import endpoints
from letgo.source.names import Names
from letgo.source.read import read

Take = Callable[..., Census]

DATABASE = """
    from sqlalchemy import create_engine
    from sqlalchemy.orm import Session, sessionmaker

    SessionLocal = sessionmaker(bind=create_engine("sqlite://"))

    def get_db():
        db = SessionLocal()
        try:
            yield db
        finally:
            db.close()
"""

APP = """
    from typing import Annotated
    from fastapi import APIRouter, Depends, FastAPI
    from fastapi.responses import RedirectResponse, StreamingResponse
    from sqlalchemy.orm import Session
    from sqlalchemy.ext.asyncio import AsyncSession
    from database import SessionLocal, get_db

    app = FastAPI()
"""


@pytest.fixture
def take(tmp_path: Path) -> Take:
    """The census of an app whose code follows what every app here begins with."""

    def census_of(code: str, holds: Iterable[Hold] = (), **files: str) -> Census:
        texts = {"database": DATABASE, "app": APP, **files}
        for name, text in texts.items():
            (tmp_path / f"{name}.py").write_text(dedent(text) + (dedent(code) if name == "app" else ""))
        names = Names(read([tmp_path], root=tmp_path))
        return take_census(names, endpoints(names), holds)

    return census_of


def verdicts(census: Census) -> dict[str, Verdict]:
    return {handler.site.function: handler.verdict for handler in census.handlers}


def only(census: Census) -> Handler:
    (handler,) = census.handlers
    return handler


def handler(body: str, parameter: str = "db: Session = Depends(get_db)") -> str:
    return f'@app.get("/")\ndef handler({parameter}):\n' + "".join(f"    {line}\n" for line in body.splitlines())


# --- the verdicts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "verdict"),
    [
        ("return db.query(1).all()", Verdict.MISSING_BOTH),
        ("db.commit()", Verdict.MISSING_CLOSE),
        ("db.close()", Verdict.MISSING_COMMIT),
        ("db.commit()\ndb.close()", Verdict.CORRECT),
        ("db.rollback()", Verdict.MISSING_BOTH),
    ],
)
def test_the_calls_of_commit_and_close_decide(take: Take, body: str, verdict: Verdict) -> None:
    assert only(take(handler(body))).verdict is verdict


def test_one_branch_that_commits_and_closes_is_enough_for_the_convention(take: Take) -> None:
    found = only(take(handler("if db.query(1).first():\n    db.commit()\n    db.close()\n    return 1\nreturn 2")))
    assert found.verdict is Verdict.CORRECT
    assert (found.commits, found.closes) == ((found.site.line + 2,), (found.site.line + 3,))


def test_an_awaited_commit_counts(take: Take) -> None:
    code = """
        @app.get("/")
        async def handler(db: AsyncSession = Depends(get_db)):
            await db.commit()
            await db.close()
    """
    assert only(take(code)).verdict is Verdict.CORRECT


def test_calls_in_a_function_inside_the_handler_count(take: Take) -> None:
    body = "def finish():\n    db.commit()\n    db.close()\nfinish()"
    assert only(take(handler(body))).verdict is Verdict.CORRECT


def test_calls_on_another_session_of_the_same_name_inside_do_not_count(take: Take) -> None:
    body = "def finish(db):\n    db.commit()\n    db.close()\nfinish(db)"
    assert only(take(handler(body))).verdict is Verdict.MISSING_BOTH


def test_calls_on_something_else_do_not_count(take: Take) -> None:
    assert only(take(handler("db.query(1)\nother.commit()\ndb.bind.close()"))).verdict is Verdict.MISSING_BOTH


def test_with_two_sessions_the_worse_treated_one_counts(take: Take) -> None:
    code = """
        @app.get("/")
        def handler(a: Session = Depends(get_db), b: Session = Depends(get_db), c: Session = Depends(get_db)):
            a.commit()
            a.close()
            b.query(1)
    """
    found = only(take(code))
    assert (found.parameter, found.verdict) == ("b", Verdict.MISSING_BOTH)


# --- the exceptions --------------------------------------------------------------------------------------------------


def test_a_session_that_is_never_used_is_an_exception(take: Take) -> None:
    found = only(take(handler("return 1")))
    assert (found.verdict, found.reason) == (Verdict.EXCEPTION, "the session is never used")
    assert found.category is Category.UNUSED


def test_a_leading_underscore_is_an_exception(take: Take) -> None:
    found = only(take(handler("_db.query(1)", "_db: Session = Depends(get_db)")))
    assert (found.verdict, found.reason) == (Verdict.EXCEPTION, "its name says that the session is not used")


def test_a_dependency_of_a_handler_is_an_exception(take: Take) -> None:
    code = """
        def current_user(db: Session = Depends(get_db)):
            return db.query(1).first()

        @app.get("/")
        def handler(user = Depends(current_user)):
            return user
    """
    found = only(take(code))
    assert (found.site.function, found.reason) == ("current_user", "it is a dependency itself")


def test_a_handler_that_is_also_a_dependency_is_an_exception(take: Take) -> None:
    code = """
        @app.get("/me")
        def me(db: Session = Depends(get_db)):
            return db.query(1).first()

        @app.get("/", dependencies=[Depends(me)])
        def handler():
            return 1
    """
    assert verdicts(take(code)) == {"me": Verdict.EXCEPTION}


def test_a_function_that_no_request_is_routed_to_is_an_exception(take: Take) -> None:
    code = """
        def get_service(db: Session = Depends(get_db)):
            return Service(db)
    """
    found = only(take(code))
    assert (found.site.function, found.reason) == ("get_service", "no request is routed to it")


def test_a_handler_registered_without_a_decorator_is_no_exception(take: Take) -> None:
    code = """
        def handler(db: Session = Depends(get_db)):
            return db.query(1).first()

        app.add_api_route("/", handler)
    """
    assert verdicts(take(code)) == {"handler": Verdict.MISSING_BOTH}


# --- what is a session -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "parameter",
    [
        "x: Session = Depends(get_db)",
        "x: 'Session' = Depends(get_db)",
        "x: Session | None = Depends(get_db)",
        "x: Annotated[Session, Depends(get_db)]",
        "x: Conversation",
        "x: OwnSession = Depends(elsewhere)",
        "x=Depends(get_db)",
        "x=Depends(typed)",
        "x=Depends(passed_on)",
        "x=Depends(entered)",
        "x=Depends(made_here)",
        "x=Depends(SessionLocal)",
        "x=Depends(giver)",
        "x=Depends(Giver(1))",
        "x=Depends(lambda: SessionLocal())",
    ],
)
def test_a_session_is_known_by_what_it_is(take: Take, parameter: str) -> None:
    code = """
        from collections.abc import Iterator
        from elsewhere import elsewhere, unknown
        from sqlalchemy.orm import sessionmaker

        class OwnSession(Session): ...

        Conversation = Annotated[Session, Depends(get_db)]

        def typed() -> Iterator[Session]:
            yield unknown()

        def passed_on(db=Depends(get_db)):
            return db

        def entered():
            with SessionLocal() as made:
                yield made

        def made_here():
            maker = sessionmaker()
            return maker()

        class Giver:
            def __call__(self):
                made = SessionLocal()
                yield made

        giver = Giver()

    """
    found = take(dedent(code) + handler("return x.query(1)", parameter))
    assert verdicts(found)["handler"] is Verdict.MISSING_BOTH


@pytest.mark.parametrize(
    "parameter",
    [
        "session: Session",
        "session: aiohttp.ClientSession = Depends(elsewhere)",
        "db=Depends(elsewhere)",
        "session=Depends(http)",
        "db=Depends(get_repository)",
        "make: sessionmaker[Session] = Depends(elsewhere)",
    ],
)
def test_what_only_sounds_like_a_session_is_not_counted(take: Take, parameter: str) -> None:
    code = """
        import aiohttp
        from elsewhere import elsewhere
        from sqlalchemy.orm import sessionmaker

        async def http():
            async with aiohttp.ClientSession() as session:
                yield session

        def get_repository():
            return Repository(SessionLocal())

    """
    assert take(dedent(code) + handler("return 1", parameter)).handlers == ()


def test_callables_that_give_each_other_come_to_an_end(take: Take) -> None:
    code = """
        def ping():
            return pong()

        def pong():
            return ping()

    """
    assert take(dedent(code) + handler("return x", "x=Depends(ping)")).handlers == ()


# --- what flow says, and the categories ------------------------------------------------------------------------------


def hold(function: Site, kind: WaitKind) -> Hold:
    source = Source(Origin.DEPENDENCY, "get_db", function)
    return Hold(function, source, function, (Wait(kind, kind.value, function),), None, True)


def test_a_hold_stands_beside_the_handler_it_belongs_to(take: Take) -> None:
    code = handler("db.commit()\ndb.close()")
    site = only(take(code)).site
    other = Site(site.path, site.line, "another")
    census = take(code, holds=[hold(site, WaitKind.EXTERNAL), hold(other, WaitKind.STREAM)])
    assert only(census).wait_kinds == (WaitKind.EXTERNAL,)
    assert census.correct_but_holding == census.handlers
    assert census.total.holding[Verdict.CORRECT] == 1


def test_the_gravest_wait_decides_where_a_handler_stands_in_the_plan(take: Take) -> None:
    code = handler("return db.query(1)")
    site = only(take(code)).site
    census = take(code, holds=[hold(site, WaitKind.SERIALISE), hold(site, WaitKind.SLEEP)])
    assert only(census).categories == (Category.EXTERNAL, Category.SERIALISE)
    assert census.by_category()[Category.EXTERNAL] == census.handlers
    assert census.by_category()[Category.SERIALISE] == ()


@pytest.mark.parametrize(
    ("body", "category"),
    [
        ("return db.query(1)", Category.SERIALISE),
        ("return templates.TemplateResponse('a.html', {'rows': db})", Category.RENDER),
        ("db.query(1)\nreturn RedirectResponse('/')", Category.BRANCH),
        ("if db.query(1):\n    return 1\nreturn 2", Category.BRANCH),
        ("return StreamingResponse(rows(db))", Category.STREAM),
    ],
)
def test_without_holds_the_responses_a_handler_makes_decide(take: Take, body: str, category: Category) -> None:
    assert only(take(handler(body))).category is category


def test_a_correct_handler_that_holds_nothing_is_in_no_plan(take: Take) -> None:
    census = take(handler("db.commit()\ndb.close()"))
    assert only(census).category is None
    assert not any(census.by_category().values())


def test_the_census_does_not_depend_on_what_things_are_called(take: Take) -> None:
    plain = handler("db.query(1)\ndb.commit()")
    renamed = plain.replace("get_db", "q").replace("db", "w").replace("handler", "h")
    files = {"database": DATABASE.replace("get_db", "q"), "app": APP.replace("get_db", "q")}
    assert only(take(plain)).verdict is only(take(renamed, **files)).verdict is Verdict.MISSING_CLOSE
