"""Users out of an OpenAPI document: which routes are asked, with which values."""

from typing import Any
from urllib.parse import unquote

import pytest
from fastapi import FastAPI, Header, HTTPException
from hypothesis import given
from hypothesis import strategies as st
from tests.runtime.serving import serve

from letgo.prove.connection import target_of
from letgo.prove.openapi import request_for, users_from_openapi
from letgo.source.errors import UserError


def parameter(name: str, place: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"name": name, "in": place, "required": True, "schema": schema, **more}


@pytest.mark.parametrize(
    ("made", "path"),
    [
        (parameter("id", "path", {"type": "integer"}), "/books/1"),
        (parameter("id", "path", {"type": "integer", "minimum": 1000}), "/books/1000"),
        (parameter("id", "path", {"type": "string", "format": "uuid"}), "/books/00000000-0000-0000-0000-000000000001"),
        (parameter("id", "path", {"type": "string"}, example="a b/c"), "/books/a%20b%2Fc"),
        (parameter("id", "path", {"type": "string", "examples": ["x"]}), "/books/x"),
        (parameter("id", "path", {"enum": ["red", "green"]}), "/books/red"),
        (parameter("id", "path", {"anyOf": [{"type": "integer"}, {"type": "null"}]}), "/books/1"),
        (parameter("id", "path", {"$ref": "#/components/schemas/Id"}), "/books/7"),
    ],
)
def test_a_parameter_gets_its_example_or_one_of_its_type(made: dict[str, Any], path: str) -> None:
    document = {"components": {"schemas": {"Id": {"type": "integer", "default": 7}}}}
    request = request_for("/books/{id}", {"parameters": [made]}, document)
    assert (request.path, request.name) == (path, "/books/{id}")


def test_only_parameters_that_must_be_there_are_in_the_query() -> None:
    asked = parameter("q", "query", {"type": "string", "default": "a&b"})
    unasked = {**parameter("page", "query", {"type": "integer"}), "required": False}
    assert request_for("/search", {"parameters": [asked, unasked]}, {}).path == "/search?q=a%26b"


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
def test_whatever_an_example_holds_the_path_is_that_one_segment(example: str) -> None:
    path = request_for("/{x}", {"parameters": [parameter("x", "path", {}, example=example)]}, {}).path
    assert unquote(path) == f"/{example}"
    assert path.isascii()
    assert not set(path[1:]) & set("/?# \r\n")


def test_routes_that_answer_well_are_asked_and_others_left_out_with_the_reason() -> None:
    app = FastAPI()
    app.get("/books")(lambda: [])
    app.post("/books")(lambda: None)

    @app.get("/broken")
    def broken() -> None:
        raise HTTPException(503)

    @app.get("/secret")
    def secret(token: str = Header()) -> str:
        return token

    with serve(app) as url:
        made = users_from_openapi(target_of(url))
    assert [request.route for request in made.requests] == ["GET /books"]
    assert made.left_out == (
        "GET /broken: answered with status 503",
        "GET /secret: needs a value for token in its header",
    )


def test_an_app_without_a_document_needs_a_scenario() -> None:
    with serve(FastAPI(openapi_url=None)) as url, pytest.raises(UserError, match="answers with status 404") as error:
        users_from_openapi(target_of(url))
    assert "--scenario" in error.value.hint


def test_an_app_whose_routes_all_fail_needs_a_scenario() -> None:
    app = FastAPI()

    @app.get("/broken")
    def broken() -> None:
        raise HTTPException(500)

    with serve(app) as url, pytest.raises(UserError, match="no GET route that answers") as error:
        users_from_openapi(target_of(url))
    assert "GET /broken" in error.value.hint
