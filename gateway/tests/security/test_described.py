"""What `/openapi.json` says is what is answered, whoever asks and whatever they send: and nothing of another team."""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, NoReturn

import httpx
import pytest
import requests
import schemathesis
from gateway.tests.registry.test_entries import ENTRIES
from gateway.tests.serving import PASSWORD, Caller, RunningGateway, StartGateway
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from letgo_gateway.upstreams.addresses import Reach
from letgo_gateway.upstreams.errors import Unreachable

EXAMPLES = int(os.environ.get("LETGO_FUZZ_EXAMPLES", "2"))
"""For each operation, of what fits its schema and of what does not; `make fuzz` takes more."""
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
DATABASES = ["postgres"] if EXAMPLES < 10 else ["postgres", "sqlite"]
"""Postgres takes less; most that goes wrong does so there."""
TEAMS, OWNERS = "what only a team knows", "what only its owner knows"
BOUNDED = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@dataclass
class World:
    """A team with entries of its own, those who ask, and the ids that they ask for: of what is hidden, and of nothing.

    `strangers` are not in the team; `apart` may see what it shares, and nothing that is one member's own.
    """

    gateway: RunningGateway
    callers: dict[str, Caller]
    ids: dict[str, list[str]]
    hidden: set[str] = field(default_factory=set)

    strangers = ("nobody", "stranger", "narrow")
    apart = ("viewer", "member")

    def filled(self, path: str, name: str) -> list[str]:
        """The ids that may stand for the parameter `name` of a path."""
        kind = path.split("/")[1] if name == "entry_id" else name
        return [*self.ids.get(kind, []), "0" * 32]

    def send(self, who: str, case: Case) -> Any:
        caller = self.callers[who]
        prepared = requests.Request(**case.as_transport_kwargs(base_url="http://testserver")).prepare()
        headers = dict(prepared.headers) | ({"Authorization": f"Bearer {caller.token}"} if caller.token else {})
        request = httpx.Request(
            prepared.method or "", prepared.url or "", headers=headers, content=prepared.body or b""
        )
        answer = caller.client.portal.call(send, caller.client.app, request)
        if case.path == "/auth/logout" and answer.status_code == 204:
            caller.token = self.gateway.log_in(caller.email, PASSWORD).token
        return answer


async def send(app: Any, request: httpx.Request) -> httpx.Response:
    """In the loop of the gateway: a client for tests goes back and forth many times."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, trust_env=False) as client:
        return await client.send(request)


def world(gateway: RunningGateway) -> World:
    team = gateway.team("books", "owner", member="member", viewer="viewer")
    gateway.team("others", "stranger")
    owner, stranger = gateway.user("owner"), gateway.user("stranger")
    ids: dict[str, list[str]] = {"team_id": [team], "user_id": [gateway.user("spare").id]}
    for registry, given_entry in ENTRIES.items():
        shared = {"visibility": "team", "team_id": team, "description": TEAMS, "tags": [TEAMS]}
        own = {"description": OWNERS, "team_id": team, "name": OWNERS}
        ids[registry] = [owner.post(f"/{registry}", given_entry | more)["id"] for more in (shared, own)]
    invitation = owner.post(f"/teams/{team}/invitations", {"email": "invited@example.com"})
    token = owner.post("/tokens", {"name": OWNERS})["token"]
    role = gateway.admin.post("/rbac/roles", {"name": "reader", "permissions": ["tools.read"]})
    ids |= {"invitation_id": [invitation["id"]], "token_id": [token["id"]], "role_id": [role["id"]]}
    ids["server_id"] = ids["servers"]
    callers = {
        "nobody": gateway.anybody,
        "stranger": stranger,
        "narrow": stranger.with_token(scopes=["tools.read"]),
        "viewer": gateway.user("viewer"),
        "member": gateway.user("member"),
        "owner": owner,
        "administrator": gateway.admin,
    }
    hidden = {one for kind, found in ids.items() if kind not in ("user_id", "role_id") for one in found}
    return World(gateway, callers, ids, hidden)


def cases(operation: Any, known: World) -> st.SearchStrategy[Case]:
    """What fits the operation's schema and what does not; its ids are often those of something that is there."""

    @st.composite
    def made(draw: st.DrawFn) -> Case:
        mode = draw(st.sampled_from([GenerationMode.POSITIVE, GenerationMode.NEGATIVE]))
        case: Case = draw(operation.as_strategy(generation_mode=mode))
        for name, value in dict(case.path_parameters or {}).items():
            if isinstance(value, str) and len(value) == 32:
                case.path_parameters[name] = draw(st.sampled_from(known.filled(operation.path, name)))
        return case

    return made()


def operations(gateway: RunningGateway) -> Iterator[Any]:
    told = gateway.anybody.get("/openapi.json")
    ours = schemathesis.Config.from_dict({"generation": {"with-security-parameters": False}})  # who asks is our choice
    schema = schemathesis.openapi.from_dict(told, config=ours)
    for found in schema.get_all_operations():
        yield found.ok()


async def nowhere(reach: Reach, host: str, port: int) -> NoReturn:
    raise Unreachable("tests call nobody")


@pytest.mark.parametrize("prepared", DATABASES, indirect=True)
@pytest.mark.filterwarnings("ignore:Do not use the `random` module")  # the gateway does, in a thread of its own
def test_every_answer_to_everybody_is_one_that_is_described_and_shows_nothing_of_another_team(
    start: StartGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Reach, "resolve", nowhere)
    gateway = start(anonymous=True, login_attempts=1000, registration=True, allowed_hosts=("testserver",))
    known = world(gateway)
    asked = 0
    for operation in operations(gateway):

        @given(case=cases(operation, known))
        @BOUNDED
        def ask(case: Case) -> None:
            nonlocal asked
            for who in known.callers:
                answer = known.send(who, case)
                case.validate_response(answer, checks=CHECKS)
                check_hidden(known, who, case, answer)
                asked += 1

        ask()
    assert asked >= 60 * len(known.callers)


def check_hidden(known: World, who: str, case: Case, answer: Any) -> None:
    told = answer.text + str(answer.headers)
    if who in known.strangers:
        assert TEAMS not in told and OWNERS not in told, f"{who} sees through {case.method} {case.path}"
        if known.hidden & set(map(str, (case.path_parameters or {}).values())):
            assert answer.status_code >= 400, f"{who} may {case.method} {case.path}"
    if who in known.apart:
        assert OWNERS not in told, f"{who} sees through {case.method} {case.path}"
