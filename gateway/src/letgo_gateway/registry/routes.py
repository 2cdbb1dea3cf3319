"""The routes of the seven registries: one set of endpoints, made for each kind."""

from collections.abc import Callable, Mapping
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response

from letgo_gateway.api import Asking, LoggedIn, Shared, asking
from letgo_gateway.database.changes import Changed
from letgo_gateway.registry.entries import Written, remove_entry, write_change, write_entry, write_toggle
from letgo_gateway.registry.kinds import KINDS, Kind
from letgo_gateway.registry.lists import Filter
from letgo_gateway.registry.schemas import NewEntry, Toggle, change_of
from letgo_gateway.rooms import Rooms, rooms_of
from letgo_gateway.schemas import EntryId, Input, Page


def add_lists(app: FastAPI) -> None:
    """The lists, which are asked for most: as routes of the app itself, which it finds sooner than those of routers."""
    for kind in KINDS:
        page: Any = Page[kind.view]  # type: ignore[name-defined]
        app.add_api_route(
            f"/{kind.topic}",
            _listing(kind),
            methods=["GET"],
            response_model=page,
            tags=[kind.topic],
            openapi_extra=_parameters(),
        )


def routers() -> list[APIRouter]:
    return [_router(kind) for kind in KINDS]


def _router(kind: Kind) -> APIRouter:
    router = APIRouter(prefix=f"/{kind.topic}", tags=[kind.topic])
    add = router.add_api_route
    add("", _creating(kind), methods=["POST"], response_model=kind.view, status_code=201)
    add("/{entry_id}", _reading(kind), methods=["GET"], response_model=kind.view)
    add("/{entry_id}", _changing(kind), methods=["PATCH"], response_model=kind.view)
    add("/{entry_id}", _deleting(kind), methods=["DELETE"], status_code=204)
    add("/{entry_id}/toggle", _toggling(kind), methods=["POST"], response_model=kind.view)
    return router


def _parameters() -> dict[str, Any]:
    """A list is found by its query as it stands, so FastAPI is not asked to read it; here it is described."""
    properties = Filter.model_json_schema()["properties"]
    return {"parameters": [{"name": name, "in": "query", "schema": one} for name, one in properties.items()]}


def _listing(kind: Kind) -> Callable[..., Any]:
    async def list_entries(request: Request) -> Response:
        principal = await asking(request)
        body = await rooms_of(request).lists.get(kind, principal, request.url.query)
        return Response(body, media_type="application/json")

    return _named(list_entries, f"list_{kind.topic}")


def _creating(kind: Kind) -> Callable[..., Any]:
    async def create(asked: NewEntry, rooms: Shared, principal: LoggedIn) -> Any:
        given = asked.model_dump()
        sealed = _sealed(rooms, given)
        return (await rooms.changes.write(_changed, write_entry, kind, given, sealed, principal)).entry

    return _named(create, f"create_{kind.label}", asked=kind.new)


def _reading(kind: Kind) -> Callable[..., Any]:
    async def read(entry_id: EntryId, rooms: Shared, principal: Asking) -> Response:
        return Response(await rooms.lists.one(kind, principal, entry_id), media_type="application/json")

    return _named(read, f"read_{kind.label}")


def _changing(kind: Kind) -> Callable[..., Any]:
    async def change(entry_id: EntryId, asked: Input, rooms: Shared, principal: LoggedIn) -> Any:
        changed = asked.model_dump(exclude_unset=True)
        version = changed.pop("version")
        sealed = _sealed(rooms, changed)
        written = await rooms.changes.write(_changed, write_change, kind, entry_id, version, changed, sealed, principal)
        return written.entry

    return _named(change, f"change_{kind.label}", asked=change_of(kind.new))


def _toggling(kind: Kind) -> Callable[..., Any]:
    async def toggle(entry_id: EntryId, asked: Toggle, rooms: Shared, principal: LoggedIn) -> Any:
        return (await rooms.changes.write(_changed, write_toggle, kind, entry_id, asked.enabled, principal)).entry

    return _named(toggle, f"toggle_{kind.label}")


def _deleting(kind: Kind) -> Callable[..., Any]:
    async def delete(entry_id: EntryId, rooms: Shared, principal: LoggedIn) -> None:
        await rooms.changes.write(_changed, remove_entry, kind, entry_id, principal)

    return _named(delete, f"delete_{kind.label}")


def _changed(written: Written) -> Changed:
    return Changed(written.topics, written.entry["owner_id"])


def _sealed(rooms: Rooms, given: Mapping[str, Any]) -> str | None:
    secrets = given.get("secrets")
    return rooms.keys.seal(secrets) if secrets else None


def _named(endpoint: Callable[..., Any], name: str, **bodies: type[Input]) -> Callable[..., Any]:
    """The endpoint under the name of its kind, which documents and logs show, with the bodies that the kind has."""
    endpoint.__name__ = endpoint.__qualname__ = name
    endpoint.__annotations__.update(bodies)
    return endpoint
