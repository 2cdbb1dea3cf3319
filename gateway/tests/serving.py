"""A gateway that runs, and those who ask it."""

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from uuid import uuid4

from fastapi import FastAPI
from fastapi.testclient import TestClient
from sqlalchemy import make_url

from letgo_gateway.preparing import Administrator
from letgo_gateway.rooms import Rooms
from letgo_gateway.settings import Settings

KEY = "a key that is long enough for all of the tests"
PASSWORD = "a password of one's own"


@dataclass
class Caller:
    """Somebody who asks the gateway."""

    client: TestClient
    token: str | None
    id: str = ""
    email: str = ""

    def ask(self, method: str, path: str, expect: int | None = None, **options: Any) -> Any:
        """The JSON of the answer; its status must be `expect`, or a success."""
        response = self.raw(method, path, **options)
        right = response.status_code == expect if expect is not None else response.is_success
        assert right, f"{method} {path}: {response.status_code} {response.text}"
        return response.json() if response.content else None

    def raw(self, method: str, path: str, **options: Any) -> Any:
        headers = {} if self.token is None else {"Authorization": f"Bearer {self.token}"}
        if (body := options.pop("json", None)) is not None:  # in ASCII, so that tests can send what is no text
            options |= {"content": json.dumps(body)}
            headers["Content-Type"] = "application/json"
        return self.client.request(method, path, headers=headers | options.pop("headers", {}), **options)

    def get(self, path: str, expect: int | None = None, **options: Any) -> Any:
        return self.ask("GET", path, expect, **options)

    def post(self, path: str, body: Any = None, expect: int | None = None) -> Any:
        return self.ask("POST", path, expect, json=body)

    def patch(self, path: str, body: Any = None, expect: int | None = None) -> Any:
        return self.ask("PATCH", path, expect, json=body)

    def put(self, path: str, body: Any = None, expect: int | None = None) -> Any:
        return self.ask("PUT", path, expect, json=body)

    def delete(self, path: str, expect: int | None = None) -> Any:
        return self.ask("DELETE", path, expect)

    def with_token(self, **asked: Any) -> "Caller":
        """The same user, by a new API token."""
        made = self.post("/tokens", {"name": uuid4().hex} | asked)
        return Caller(self.client, made["secret"], self.id, self.email)


@dataclass
class RunningGateway:
    client: TestClient
    settings: Settings
    admin: Caller
    users: dict[str, Caller] = field(default_factory=dict)

    @property
    def rooms(self) -> Rooms:
        """What is inside."""
        app: Any = self.client.app
        while not isinstance(app, FastAPI):
            app = app._app
        rooms: Rooms = app.state.rooms
        return rooms

    @property
    def anybody(self) -> Caller:
        return Caller(self.client, None)

    def log_in(self, email: str, password: str = PASSWORD) -> Caller:
        begun = self.anybody.post("/auth/login", {"email": email, "password": password})
        caller = Caller(self.client, begun["access_token"], email=email)
        if not begun["must_change"]:
            caller.id = caller.get("/auth/email/me")["id"]
        return caller

    def user(self, name: str) -> Caller:
        """A user of this name, made when it is first asked for."""
        if name not in self.users:
            email = f"{name}@example.com"
            given = self.admin.post("/auth/email/users", {"email": email, "name": name})
            self.users[name] = change_password(self.client, email, given["password"])
            self.users[name].id = given["user"]["id"]
        return self.users[name]

    def team(self, name: str, owner: str, **members: str) -> str:
        """The id of a new team, with the roles of its members by name."""
        team: str = self.user(owner).post("/teams", {"name": name})["id"]
        for member, role in members.items():
            self.admin.put(f"/teams/{team}/members/{self.user(member).id}", {"role": role})
        return team


@dataclass(frozen=True)
class Prepared:
    """A database that is ready, and how a test gets a copy of it."""

    administrator: Administrator
    copy: Callable[[], AbstractContextManager[str]]


def change_password(client: TestClient, email: str, one_time: str) -> Caller:
    begun = client.post("/auth/login", json={"email": email, "password": one_time}).json()
    assert begun["must_change"]
    caller = Caller(client, begun["access_token"], email=email)
    caller.token = caller.post("/auth/email/change-password", {"old": one_time, "new": PASSWORD})["access_token"]
    return caller


def quick(database_url: str, **changed: Any) -> Settings:
    """Settings in which passwords cost little, and a busy machine has its time; the guard is that of the tests."""
    values: Mapping[str, Any] = {
        "argon2_memory": 64,
        "guard": "off",
        "log_level": "error",
        "secret_key": KEY,
        "pool_timeout": 30,
    }
    return Settings(database_url=database_url, **(values | changed))


def of_server(server: str, database: str) -> str:
    return make_url(server).set(database=database).render_as_string(hide_password=False)


StartGateway: TypeAlias = Callable[..., RunningGateway]
