"""One request of a client, run on an upstream: the era of each is its own affair.

Where an upstream needs something of the client, the eras differ most. A legacy upstream asks with a request of its own
and waits; a modern one ends the request with an `InputRequiredResult`, to be sent again with the input. So:

- legacy client, modern upstream: its input requests become questions to the client, and the request is sent again;
- modern client, legacy upstream: its question becomes an `InputRequiredResult`, and the upstream's request is kept
  waiting until the client sends the input (`waiting`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Protocol

from letgo_gateway.mcp.protocol import LEGACY_NOT_FOUND, URL_ELICITATION_REQUIRED
from letgo_gateway.upstreams.calls import Call, Era, Exchange
from letgo_gateway.upstreams.errors import UpstreamError
from letgo_gateway.upstreams.legacy import rank
from letgo_gateway.upstreams.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    METHOD_NOT_FOUND,
    Failure,
    Member,
    Members,
    Message,
    dumps,
    error_response,
    extended,
    members_of,
    response,
    written,
)
from letgo_gateway.upstreams.upstream import CHANGES, Upstream

MOST_ROUNDS = 20
"""How often an upstream may ask for more input for one request."""
USUAL_LEVEL = "info"


class Client(Protocol):
    """Who has sent the request that is run."""

    era: Era

    async def notify(self, message: Message) -> None:
        """Pass on what the upstream says meanwhile."""

    async def ask(self, method: str, params: str | None) -> Message:
        """The client's answer to a question. Only legacy clients are asked like this. Raises `Failure`."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request of a legacy upstream that waits for a modern client's answer."""

    exchange: Exchange
    call: Call
    request: Message


Outcome = str | Question
"""The text of a result; or a question that the client must answer first."""


async def run(upstream: Upstream, call: Call, client: Client) -> Outcome:
    """Run a call to its end, or to a question. Raises `Failure` with the error that the client is to be told."""
    for _ in range(MOST_ROUNDS):
        try:
            if client.era == "legacy" and call.log_level is None and await upstream.speaks("legacy") == "modern":
                # A legacy client hears of what is logged without asking for it; a modern upstream must be asked.
                call = replace(call, log_level=USUAL_LEVEL)
            exchange = await upstream.open(call)
        except UpstreamError as error:
            raise unavailable(upstream, error) from error
        outcome = await listen(upstream, exchange, call, client)
        if not isinstance(outcome, Member):
            return outcome
        if outcome.value.get("resultType") != "input_required" or client.era == "modern":
            return for_client(outcome, call.method, client.era)
        call = replace(call, params=await _with_input(call.params, outcome, client))
    raise Failure(INTERNAL_ERROR, f"the upstream {upstream.endpoint.name} asked for input {MOST_ROUNDS} times")


async def listen(upstream: Upstream, exchange: Exchange, call: Call, client: Client) -> Member | Question | str:
    """What comes of an exchange: the result, or a question for a modern client. Raises `Failure`."""
    kept = False
    try:
        while not (message := await exchange.next()).is_response:
            if message.id is None:
                upstream.hear_change(message)
                if passes(message, call, client.era):
                    await client.notify(message)
            elif client.era == "modern" and able(message.method, call.caller.capabilities):
                kept = True
                return Question(exchange, call, message)
            else:
                await exchange.reply(await _answered(message, call, client))
    except UpstreamError as error:
        raise unavailable(upstream, error) from error
    finally:
        if not kept:
            exchange.cancel()
    if message.result is not None:
        return message.result
    return _refused(upstream, message.error or {}, call, client)


async def _answered(question: Message, call: Call, client: Client) -> bytes:
    """The client's answer to an upstream's question, as the upstream is to get it."""
    assert question.id is not None and question.method is not None
    if not able(question.method, call.caller.capabilities):
        error = {"code": METHOD_NOT_FOUND, "message": f"the client does not do {question.method}"}
        return error_response(question.id, error)
    params = written(question.params) if question.params is not None else None
    answer = await client.ask(question.method, params)
    if answer.result is not None:
        return response(question.id, answer.result.raw)
    return error_response(question.id, answer.error or {})


async def _with_input(params: Members, result: Member, client: Client) -> Members:
    """The params of a request that is sent again, with the client's answers to the input requests of a result."""
    answers: dict[str, Member] = {}
    requests = members_of(result.raw).get("inputRequests")
    for key, request in (members_of(requests.raw) if requests and requests.value else {}).items():
        method, asked = request.value.get("method"), members_of(request.raw).get("params")
        answer = await client.ask(str(method), asked.raw if asked else None)
        if answer.result is None:
            error = answer.error or {}
            raise Failure(error.get("code", INTERNAL_ERROR), str(error.get("message", "no answer")), error.get("data"))
        answers[key] = answer.result
    again = {name: member for name, member in params.items() if name not in ("inputResponses", "requestState")}
    again["inputResponses"] = Member({}, written(answers))
    if (state := members_of(result.raw).get("requestState")) is not None:
        again["requestState"] = state
    return again


def able(method: str | None, capabilities: Mapping[str, Any]) -> bool:
    """Whether a client has said that it can be asked this."""
    kind = {"sampling/createMessage": "sampling", "elicitation/create": "elicitation", "roots/list": "roots"}
    return kind.get(method or "") in capabilities


def passes(message: Message, call: Call, era: Era) -> bool:
    """Whether a notification that comes before a response is for the client.

    What lists have changed is told to all who listen, from elsewhere. A modern client gets the log it has asked for.
    """
    if message.method == "notifications/message":
        if call.log_level is None:
            return era == "legacy"
        return rank(str(message.param("level"))) >= rank(call.log_level)
    if message.method in CHANGES or message.method == "notifications/cancelled":
        return False
    return era == "legacy" or message.method == "notifications/progress"


def unavailable(upstream: Upstream, error: UpstreamError) -> Failure:
    return Failure(INTERNAL_ERROR, f"upstream {upstream.endpoint.name}: {error}")


def _refused(upstream: Upstream, error: Mapping[str, Any], call: Call, client: Client) -> str:
    """Raises the `Failure` that an error of the upstream is for this client; one error is a result for it."""
    code, data = error.get("code"), error.get("data")
    if not isinstance(code, int) or isinstance(code, bool):
        raise Failure(INTERNAL_ERROR, f"upstream {upstream.endpoint.name}: an error without a code")
    if client.era == "modern":
        if code == LEGACY_NOT_FOUND:
            code = INVALID_PARAMS
        elif code == URL_ELICITATION_REQUIRED and able("elicitation/create", call.caller.capabilities):
            return _visits(data)
    raise Failure(code, str(error.get("message", "")), data)


def _visits(data: object) -> str:
    """The addresses that a user must visit before the request is sent again, as an `InputRequiredResult`."""
    asked = data.get("elicitations") if isinstance(data, Mapping) else None
    visits = {
        f"visit{number}": {
            "method": "elicitation/create",
            "params": {name: value for name, value in one.items() if name != "elicitationId"},
        }
        for number, one in enumerate(asked or (), 1)
        if isinstance(one, Mapping)
    }
    return dumps({"resultType": "input_required", "inputRequests": visits, "requestState": "visited"})


def for_client(result: Member, method: str, era: Era) -> str:
    """The text of a result as a client of this era takes it: as it came, wherever that will do."""
    value = result.value
    if era == "legacy":
        if not isinstance(value.get("structuredContent", {}), dict):
            return written(members_of(result.raw), structuredContent=None)
        return result.raw
    added: dict[str, object] = {}
    if "resultType" not in value:
        added["resultType"] = "complete"
        if method == "resources/read":
            added |= {name: said for name, said in (("ttlMs", 0), ("cacheScope", "private")) if name not in value}
    return extended(result.raw, **added)
