"""Which functions FastAPI calls for a request, and what it injects into them."""

from pathlib import Path
from textwrap import dedent

import pytest

from letgo.lifetime.endpoints import Dependency, Endpoint, dependencies_of, endpoints
from letgo.source.names import ClassSymbol, External, FunctionSymbol, Names, VariableSymbol
from letgo.source.read import read


class App:
    """A few files on disk, read: their endpoints by the function's name, and what is injected."""

    def __init__(self, root: Path, files: dict[str, str]) -> None:
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(dedent(text))
        self.names = Names(read([root], root=root, jobs=1))
        self.endpoints = endpoints(self.names)

    def endpoint(self, name: str) -> Endpoint:
        (found,) = [each for each in self.endpoints if each.function.function.qualname == name]
        return found

    def routes(self) -> list[str]:
        return [f"{'/'.join(each.methods)} {each.path} {each.function.function.qualname}" for each in self.endpoints]

    def inherited(self, name: str) -> list[str]:
        return [called(each) for each in self.endpoint(name).dependencies]

    def injected(self, name: str) -> dict[str, str]:
        symbol = self.endpoint(name).function
        return {param.name: called(each) for param, each in self.injections(symbol)}

    def injections(self, symbol: FunctionSymbol):
        return dependencies_of(self.names, symbol.module, symbol.function)


def called(dependency: Dependency) -> str:
    match dependency.callable:
        case FunctionSymbol(function=function):
            return function.qualname
        case ClassSymbol(cls=cls):
            return cls.qualname
        case VariableSymbol(name=name):
            return name
        case External(dotted=dotted):
            return dotted
    return "?"


@pytest.fixture
def app(tmp_path: Path):
    def made(main: str, **others: str) -> App:
        files = {path.replace("__", "/") + ".py": text for path, text in others.items()}
        return App(tmp_path, {"main.py": main, **files})

    return made


# --- what is an endpoint ---------------------------------------------------------------------------------------------


def test_decorated_functions_of_apps_and_routers_are_endpoints(app):
    code = app(
        """
        import fastapi
        from fastapi import APIRouter
        app = fastapi.FastAPI()
        router = APIRouter(prefix="/items")
        class Mine(APIRouter): ...
        other = Mine()
        app.include_router(router, prefix="/v1")

        @app.get("/")
        def index(): ...
        @router.post("/{id}", status_code=201)
        async def create(id: int): ...
        @router.api_route("/any", methods=["GET", "PUT"])
        def any_method(): ...
        @other.websocket("/ws")
        async def socket(ws): ...
        @app.middleware("http")
        async def middleware(request, call_next): ...
        def helper(): ...
        """
    )
    assert code.routes() == [
        "GET / index",
        "POST /v1/items/{id} create",
        "GET/PUT /v1/items/any any_method",
        " /ws socket",
    ]
    assert code.endpoint("create").status_code == 201
    assert [each.kind for each in code.endpoints] == ["http", "http", "http", "websocket"]


def test_routers_are_found_wherever_they_are_kept(app):
    code = app(
        """
        from fastapi import FastAPI, APIRouter
        def create_app() -> FastAPI:
            app = FastAPI()
            @app.get("/nested")
            def nested(): ...
            return app
        def register(application: FastAPI):
            @application.get("/given")
            def given(): ...
        class Server:
            def __init__(self):
                self.router = APIRouter(prefix="/server")
                self.router.add_api_route("/status", self.status, methods=["GET"])
                @self.router.get("/closure")
                def closure(): ...
            def status(self): ...
        made = create_app()
        @made.get("/made")
        def from_function(): ...
        """
    )
    assert code.routes() == [
        "GET /nested create_app.nested",
        "GET /given register.given",
        "GET /server/closure Server.__init__.closure",
        "GET /server/status Server.status",
        "GET /made from_function",
    ]
    assert code.endpoint("Server.status").function.owner is not None


def test_routes_in_lists_and_endpoint_classes_of_starlette_are_endpoints(app):
    code = app(
        """
        from starlette.applications import Starlette
        from starlette.endpoints import HTTPEndpoint
        from starlette.routing import Route, WebSocketRoute
        async def home(request): ...
        async def live(ws): ...
        class User(HTTPEndpoint):
            async def get(self, request): ...
            async def post(self, request): ...
        app = Starlette(routes=[Route("/", home), WebSocketRoute("/live", live), Route("/user", endpoint=User)])
        """
    )
    assert [each.function.function.qualname for each in code.endpoints] == ["home", "live", "User.get", "User.post"]
    assert code.endpoint("live").kind == "websocket"


def test_other_decorators_with_a_verbs_name_are_not_endpoints(app):
    code = app(
        """
        from flask import Flask
        from unittest import mock
        import aiohttp.web
        app = Flask(__name__)
        routes = aiohttp.web.RouteTableDef()
        @app.get("/flask")
        def flask_view(): ...
        @routes.get("/aiohttp")
        def aiohttp_view(): ...
        @mock.patch("/path")
        def test(): ...
        @cache.get("/key")
        def cached(): ...
        """
    )
    assert code.endpoints == ()


def test_the_name_of_a_router_decides_only_where_nothing_else_does(app):
    code = app(
        """
        def install(app, settings, admin_router):
            @app.get("/a")
            def by_name(): ...
            @admin_router.get("")
            def by_suffix(): ...
            @settings.get("/b")
            def not_a_router(): ...
            @app.get("key")
            def not_a_path(): ...
        """
    )
    assert [each.function.function.name for each in code.endpoints] == ["by_name", "by_suffix"]


@pytest.mark.parametrize(
    ("route", "returns", "expected"),
    [
        ('"/"', "", False),
        ('"/"', "-> Item", True),
        ('"/"', "-> list[Item]", True),
        ('"/"', "-> None", False),
        ('"/"', "-> JSONResponse", False),
        ('"/"', "-> MyResponse", False),
        ('"/", response_model=Item', "", True),
        ('"/", response_model=None', "-> Item", False),
        ('"/", response_model=Item', "-> JSONResponse", True),
    ],
)
def test_a_response_model_is_declared_or_follows_from_the_return_annotation(app, route, returns, expected):
    code = app(
        f"""
        from fastapi import FastAPI
        from fastapi.responses import JSONResponse
        from pydantic import BaseModel
        class Item(BaseModel): ...
        class MyResponse(JSONResponse): ...
        app = FastAPI()
        @app.get({route})
        def read() {returns}: ...
        """
    )
    assert code.endpoint("read").response_model is expected


def test_named_status_codes_are_read(app):
    code = app(
        """
        from fastapi import FastAPI, status
        app = FastAPI()
        @app.delete("/", status_code=status.HTTP_204_NO_CONTENT)
        def remove(): ...
        """
    )
    assert code.endpoint("remove").status_code == 204


@pytest.mark.parametrize(
    ("route", "returns", "expected"),
    [
        ("response_class=RedirectResponse", "", True),
        ("response_class=HTMLResponse", "", False),
        ("", " -> Response", True),
        ("", " -> Download", True),
        ("response_model=None", " -> Download | None", True),
        ("response_model=None", " -> Response | dict", False),
        ("", " -> dict", False),
    ],
)
def test_an_endpoint_may_declare_that_it_returns_a_response(app, route, returns, expected):
    code = app(
        f"""
        from fastapi import FastAPI, Response
        from fastapi.responses import FileResponse, HTMLResponse, RedirectResponse
        class Download(FileResponse): ...
        app = FastAPI()
        @app.get("/", {route})
        def download(){returns}: ...
        """
    )
    assert code.endpoint("download").sends_as_is is expected


# --- what is injected ------------------------------------------------------------------------------------------------

DATABASE = """
    from typing import Annotated
    import fastapi
    from fastapi import Depends
    from sqlalchemy.orm import Session
    def get_db(): yield Session()
    SessionDep = Annotated[Session, Depends(get_db)]
    SharedDep = SessionDep
    default = Depends(get_db)
"""


def test_defaults_annotations_and_aliases_of_both_are_dependencies(app):
    code = app(
        """
        from typing import Annotated, Optional
        import fastapi
        from fastapi import APIRouter, Depends, Query, Security
        from sqlalchemy.orm import Session
        import db
        from db import SessionDep, get_db, default
        router = APIRouter()
        @router.get("/")
        def read(
            id: int,
            page: int = Query(1),
            a: Session = Depends(get_db),
            b: Session = fastapi.Depends(dependency=db.get_db),
            c: Annotated[Session, Security(db.get_db, scopes=["x"])] = None,
            d: SessionDep = None,
            e: db.SharedDep = None,
            f: "SessionDep" = None,
            g: Session = default,
            h: Session = db.default,
            *,
            i: Annotated[SessionDep, "documented"],
        ): ...
        """,
        db=DATABASE,
    )
    assert code.injected("read") == dict.fromkeys("abcdefghi", "get_db")


def test_scope_and_cache_are_those_of_the_call(app):
    code = app(
        """
        from fastapi import APIRouter, Depends
        def get_db(): ...
        router = APIRouter()
        @router.get("/")
        def read(a=Depends(get_db), b=Depends(get_db, scope="function"), c=Depends(get_db, use_cache=False)): ...
        """
    )
    found = [each for _, each in code.injections(code.endpoint("read").function)]
    assert [(each.scope, each.use_cache) for each in found] == [(None, True), ("function", True), (None, False)]
    assert [each.line for each in found] == [6, 6, 6]


def test_a_class_is_its_own_dependency_when_none_is_named(app):
    code = app(
        """
        from typing import Annotated
        from fastapi import APIRouter, Depends
        class Paging: ...
        PagingDep = Annotated[Paging, Depends()]
        router = APIRouter()
        @router.get("/")
        def read(a: Annotated[Paging, Depends()], b: PagingDep, c: Paging = Depends(), d=Depends(Paging)): ...
        """
    )
    assert code.injected("read") == dict.fromkeys("abcd", "Paging")


def test_callables_that_code_makes_are_looked_into(app):
    code = app(
        """
        from functools import partial
        from fastapi import APIRouter, Depends
        from elsewhere import get_remote
        def get_db(url): ...
        def require(role):
            async def check(db=Depends(get_db)): ...
            return check
        class Limit:
            def __init__(self, times): ...
            def __call__(self): ...
            def used(self): ...
        limit = Limit(5)
        def provide(): return Depends(get_db)
        router = APIRouter()
        @router.get("/")
        def read(
            a=Depends(require("admin")),
            b=Depends(Limit(5)),
            c=Depends(limit),
            d=Depends(limit.used),
            e=Depends(partial(get_db, "x")),
            f=Depends(lambda: get_db("y")),
            g=provide(),
            h=Depends(get_remote),
            i=Depends(unknown),
        ): ...
        """
    )
    assert code.injected("read") == {
        "a": "require.check",
        "b": "Limit.__call__",
        "c": "limit",
        "d": "Limit.used",
        "e": "get_db",
        "f": "<lambda>",
        "g": "get_db",
        "h": "elsewhere.get_remote",
        "i": "?",
    }


def test_dependencies_of_app_inclusion_router_and_route_come_outermost_first(app):
    code = app(
        """
        from fastapi import FastAPI, Depends
        from users import router
        def a(): ...
        def b(): ...
        app = FastAPI(dependencies=[Depends(a)])
        app.include_router(router, prefix="/api", dependencies=[Depends(b)])
        """,
        users="""
        from fastapi import APIRouter, Depends
        def c(): ...
        def d(): ...
        def e(): ...
        outer = APIRouter()
        router = APIRouter(prefix="/outer", dependencies=[Depends(c)])
        inner = APIRouter(prefix="/inner")
        router.include_router(inner, dependencies=[Depends(d)])
        @inner.get("/x", dependencies=[Depends(e), Depends(e)])
        def read(): ...
        @outer.get("/free")
        def free(): ...
        """,
    )
    assert code.inherited("read") == ["a", "b", "c", "d", "e", "e"]
    assert code.endpoint("read").path == "/api/outer/inner/x"
    assert code.inherited("free") == []


def test_routers_included_in_a_loop_or_by_a_function_have_its_dependencies(app):
    code = app(
        """
        from fastapi import FastAPI, APIRouter, Depends
        import one, two, three
        def auth(): ...
        def admin(): ...
        app = FastAPI()
        for router in [one.router]:
            app.include_router(router, dependencies=[Depends(auth)])
        table = [{"router": two.router, "prefix": "/two", "dependencies": [Depends(admin)]}]
        for options in table:
            app.include_router(**options)
        def include(application, router):
            application.include_router(router, dependencies=[Depends(auth)])
        include(app, three.router)
        """,
        one="from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/')\ndef first(): ...",
        two="from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/')\ndef second(): ...",
        three="from fastapi import APIRouter\nrouter = APIRouter()\n@router.get('/')\ndef third(): ...",
    )
    assert code.inherited("first") == ["auth"]
    assert code.inherited("second") == ["admin"]
    assert code.endpoint("second").path == "/two/"
    assert code.inherited("third") == ["auth"]


def test_lists_of_dependencies_may_be_kept_made_and_extended(app):
    code = app(
        """
        from fastapi import APIRouter, Depends
        def a(): ...
        def b(): ...
        COMMON = [Depends(a)]
        def limits(): return [Depends(b)]
        router = APIRouter()
        @router.get("/1", dependencies=COMMON)
        def kept(): ...
        @router.get("/2", dependencies=limits())
        def made(): ...
        @router.get("/3", dependencies=[*COMMON, Depends(b)])
        def spread(): ...
        @router.get("/4", dependencies=COMMON + limits())
        def summed(): ...
        def create():
            dependencies = []
            dependencies.append(Depends(b))
            local = APIRouter(dependencies=dependencies)
            @local.get("/5")
            def appended(): ...
            return local
        """
    )
    assert code.inherited("kept") == ["a"]
    assert code.inherited("made") == ["b"]
    assert code.inherited("spread") == code.inherited("summed") == ["a", "b"]
    assert code.inherited("create.appended") == ["b"]


def test_a_router_class_that_passes_dependencies_on_gives_them_to_its_routes(app):
    code = app(
        """
        from fastapi import APIRouter, Depends
        def get_user(): ...
        class UserRouter(APIRouter):
            def __init__(self, **kwargs):
                super().__init__(dependencies=[Depends(get_user)], **kwargs)
        router = UserRouter(prefix="/me")
        @router.get("")
        def read(): ...
        """
    )
    assert code.inherited("read") == ["get_user"]


def test_a_class_based_view_has_the_dependencies_of_its_fields(app):
    code = app(
        """
        from fastapi import APIRouter, Depends
        from fastapi_utils.cbv import cbv
        def get_db(): ...
        def get_user(): ...
        class Base:
            db: object = Depends(get_db)
        router = APIRouter()
        @cbv(router)
        class Items(Base):
            user: object = Depends(get_user)
            limit: int = 5
            @router.get("/")
            def read(self): ...
        """
    )
    fields = code.endpoint("Items.read").fields
    assert {field.name: called(each) for field, each in fields} == {"user": "get_user", "db": "get_db"}


def test_aliases_that_name_each_other_do_not_hang(app):
    code = app(
        """
        from fastapi import APIRouter, Depends
        A = B
        B = A
        def make(): return make()
        router = APIRouter(dependencies=make())
        router.include_router(router)
        @router.get("/")
        def read(a: A = make()): ...
        """
    )
    assert code.injected("read") == {}
    assert code.inherited("read") == []
