"""Two workers on one Postgres: how soon does one know what was changed at the other?"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple
from uuid import uuid4

import psycopg
from gateway.leaks.asking import PATIENCE, Caller, ask, tools_of

POLL_SECONDS = 0.005
URL = "https://api.example/echo"
NEW: dict[str, dict[str, Any]] = {
    "gateways": {"url": "https://mcp.example/mcp", "enabled": False},
    "a2a": {"url": "https://agent.example/"},
    "tools": {"url": URL, "method": "GET"},
    "resources": {"uri": "leak://one", "text": "said"},
    "prompts": {"messages": [{"role": "user", "content": {"type": "text", "text": "said"}}]},
    "servers": {},
    "roots": {"uri": "file:///srv"},
}
"""What makes an entry of each registry, but for its name."""

True_ = Callable[[], Awaitable[bool]]


class Change(NamedTuple):
    """Something that was changed at one worker, and how many seconds later the other knew it."""

    what: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Workers:
    """The same person at two workers; `made` are all who were made on the way, to be closed in the end."""

    one: Caller
    other: Caller
    made: list[Caller] = field(default_factory=list)

    def at(self, worker: Caller, token: str | None = None) -> Caller:
        """Somebody else at one of the workers."""
        self.made.append(Caller(worker.port, token))
        return self.made[-1]

    def close(self) -> None:
        for caller in (self.one, self.other, *self.made):
            caller.close()


Cut = Callable[[], None]


async def changes(workers: Workers, cut: Cut) -> list[Change]:
    """Change one of everything, and call `cut` right before each change."""
    found: list[Change] = []
    for registry, given in NEW.items():
        found += await of_registry(workers, registry, given, cut)
    for scene in (of_tools_in_mcp, of_tokens, of_users, of_roles, of_teams, of_passwords):
        found += await scene(workers, cut)
    return found


async def known(what: str, true: True_) -> Change:
    began = time.perf_counter()
    async with asyncio.timeout(PATIENCE):
        while not await true():
            await asyncio.sleep(POLL_SECONDS)
    return Change(what, time.perf_counter() - began)


async def of_registry(workers: Workers, registry: str, given: dict[str, Any], cut: Cut) -> list[Change]:
    name = f"it-{uuid4().hex[:8]}"

    async def there() -> dict[str, Any] | None:
        listed = await ask(workers.other, "GET", f"/{registry}?q=it-&limit=1000")
        return next((entry for entry in listed["items"] if entry["id"] == made.get("id")), None)

    async def is_there() -> bool:
        return await there() is not None

    async def is_described() -> bool:
        found = await there()
        return found is not None and found["description"] == "changed"

    async def is_gone() -> bool:
        return await there() is None

    async def is_switched() -> bool:
        found = await there()
        return found is not None and found["enabled"] is switched

    made: dict[str, Any] = {}
    await there()
    cut()
    made |= await ask(workers.one, "POST", f"/{registry}", {"name": name, **given})
    found = [await known(f"{registry}: made", is_there)]
    path = f"/{registry}/{made['id']}"
    cut()
    await ask(workers.one, "PATCH", path, {"version": made["version"], "description": "changed"})
    found.append(await known(f"{registry}: changed", is_described))
    switched = not made["enabled"]
    cut()
    await ask(workers.one, "POST", f"{path}/toggle", {"enabled": switched})
    found.append(await known(f"{registry}: switched", is_switched))
    cut()
    await ask(workers.one, "DELETE", path)
    found.append(await known(f"{registry}: deleted", is_gone))
    return found


async def of_tools_in_mcp(workers: Workers, cut: Cut) -> list[Change]:
    """What `tools/list` says, which comes from another cache than `GET /tools`."""
    name = f"mcp-{uuid4().hex[:8]}"

    async def listed() -> bool:
        return name in await tools_of(workers.other)

    async def gone() -> bool:
        return not await listed()

    await listed()
    cut()
    made = await ask(workers.one, "POST", "/tools", {"name": name, **NEW["tools"]})
    found = [await known("MCP tools/list: made", listed)]
    cut()
    await ask(workers.one, "DELETE", f"/tools/{made['id']}")
    found.append(await known("MCP tools/list: deleted", gone))
    return found


async def somebody(workers: Workers) -> tuple[str, Workers]:
    """A new user: the id, and they at both workers."""
    email = f"{uuid4().hex[:8]}@example.com"
    made = await ask(workers.one, "POST", "/auth/email/users", {"email": email, "name": "Somebody"})
    own = workers.at(workers.one)
    login = {"email": email, "password": made["password"]}
    own.token = (await ask(own, "POST", "/auth/login", login))["access_token"]
    body = {"old": made["password"], "new": f"a password of {email}"}
    own.token = (await ask(own, "POST", "/auth/email/change-password", body))["access_token"]
    return made["user"]["id"], Workers(own, workers.at(workers.other, own.token))


def status_of(caller: Caller, path: str, status: int) -> True_:
    async def true() -> bool:
        return (await caller.send("GET", path)).status == status

    return true


async def of_tokens(workers: Workers, cut: Cut) -> list[Change]:
    made = await ask(workers.one, "POST", "/tokens", {"name": uuid4().hex})
    there = workers.at(workers.other, made["secret"])
    found = [await known("token: made", status_of(there, "/tools", 200))]
    cut()
    await ask(workers.one, "DELETE", f"/tokens/{made['token']['id']}")
    return [*found, await known("token: revoked", status_of(there, "/tools", 401))]


async def of_users(workers: Workers, cut: Cut) -> list[Change]:
    user, them = await somebody(workers)
    await ask(them.other, "GET", "/tools")
    cut()
    await ask(workers.one, "PATCH", f"/auth/email/users/{user}", {"active": False})
    return [await known("user: switched off", status_of(them.other, "/tools", 401))]


async def of_passwords(workers: Workers, cut: Cut) -> list[Change]:
    """Another password ends all sessions."""
    _, them = await somebody(workers)
    email = (await ask(them.other, "GET", "/auth/email/me"))["email"]
    cut()
    changed = {"old": f"a password of {email}", "new": f"another password of {email}"}
    await ask(them.one, "POST", "/auth/email/change-password", changed)
    return [await known("password: changed", status_of(them.other, "/tools", 401))]


async def of_roles(workers: Workers, cut: Cut) -> list[Change]:
    user, them = await somebody(workers)
    role = await ask(workers.one, "POST", "/rbac/roles", {"name": uuid4().hex, "permissions": ["users.manage"]})
    path, read = f"/rbac/users/{user}/roles", "/auth/email/users"
    assert await status_of(them.other, read, 403)()
    cut()
    await ask(workers.one, "POST", path, {"role_id": role["id"]})
    found = [await known("role: given", status_of(them.other, read, 200))]
    cut()
    await ask(workers.one, "PATCH", f"/rbac/roles/{role['id']}", {"permissions": ["roles.manage"]})
    return [*found, await known("role: changed", status_of(them.other, read, 403))]


async def of_teams(workers: Workers, cut: Cut) -> list[Change]:
    user, them = await somebody(workers)
    team = await ask(workers.one, "POST", "/teams", {"name": uuid4().hex})
    path = f"/teams/{team['id']}"
    assert await status_of(them.other, path, 404)()
    cut()
    await ask(workers.one, "PUT", f"{path}/members/{user}", {"role": "member"})
    found = [await known("team: joined", status_of(them.other, path, 200))]
    cut()
    await ask(workers.one, "DELETE", f"{path}/members/{user}")
    return [*found, await known("team: left", status_of(them.other, path, 404))]


def cut_of(dsn: str) -> Cut:
    """Ends the connections on which notifications are heard."""

    def cut() -> None:
        listening = "select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen %'"
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(f"{listening} and datname = current_database()")

    return cut


def no_cut() -> None:
    """Everything is heard."""
