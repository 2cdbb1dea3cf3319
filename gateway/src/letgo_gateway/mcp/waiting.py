"""Requests of legacy upstreams that wait for a modern client to come back with the input they have asked for."""

import asyncio
import base64
import hashlib
import hmac
import json
import secrets
import time
from dataclasses import dataclass

from letgo_gateway.mcp.bridge import Question
from letgo_gateway.upstreams.messages import INVALID_PARAMS, Failure, Member, Members, dumps, members_of, written
from letgo_gateway.upstreams.upstream import Upstream

WAIT_SECONDS = 300.0
MOST_WAITING = 1000
KEY = "input"
"""What the one input request is called."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A question, of which upstream, in which request of whom."""

    question: Question
    upstream: Upstream
    subject: str
    about: str


class WaitingRoom:
    """The questions of this worker. `secret` signs what clients bring back with their answers."""

    def __init__(self, secret: bytes) -> None:
        self._secret = hmac.digest(secret, b"questions of the Model Context Protocol", "sha256")
        self.worker = secrets.token_urlsafe(6)
        self._waiting: dict[str, tuple[Waiting, asyncio.TimerHandle]] = {}

    def wait(self, waiting: Waiting) -> str:
        """Keep a question, and return the `InputRequiredResult` that asks it."""
        if len(self._waiting) >= MOST_WAITING:
            self._forget(next(iter(self._waiting)))
        key = secrets.token_urlsafe(9)
        timer = asyncio.get_running_loop().call_later(WAIT_SECONDS, self._forget, key)
        self._waiting[key] = waiting, timer
        return asked(waiting.question, self._signed(key))

    def _forget(self, key: str) -> None:
        found = self._waiting.pop(key, None)
        if found is not None:
            found[0].question.exchange.cancel()
            found[1].cancel()

    def _signed(self, key: str) -> str:
        said = base64.urlsafe_b64encode(dumps([self.worker, key, int(time.time() + WAIT_SECONDS)]).encode()).decode()
        return f"{said}.{self._signature(said)}"

    def _signature(self, said: str) -> str:
        return base64.urlsafe_b64encode(hmac.digest(self._secret, said.encode(), "sha256")[:18]).decode()

    def whose(self, state: str) -> tuple[str, str]:
        """The worker that a request waits on, and its key there. Raises `Failure` for what is none of ours."""
        said, _, signature = state.partition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(said).encode()):
            raise Failure(INVALID_PARAMS, "requestState was not given out here, or was changed")
        worker, key, expires = json.loads(base64.urlsafe_b64decode(said))
        if expires < time.time():
            raise Failure(INVALID_PARAMS, "requestState has expired")
        return worker, key

    def take(self, key: str, subject: str, about: str) -> Waiting:
        """The question that a client has come back to. Raises `Failure` if it is not waiting, or not for them."""
        found = self._waiting.get(key)
        if found is None:
            raise Failure(INVALID_PARAMS, "nothing waits for this input any more")
        waiting, timer = found
        if (waiting.subject, waiting.about) != (subject, about):
            raise Failure(INVALID_PARAMS, "requestState belongs to another request")
        del self._waiting[key]
        timer.cancel()
        return waiting

    def close(self) -> None:
        for key in list(self._waiting):
            self._forget(key)


def asked(question: Question, state: str) -> str:
    """A question of a legacy upstream as an `InputRequiredResult`."""
    params = question.request.params
    request = {"method": question.request.method}
    text = dumps(request)
    if params:
        kept = {name: member for name, member in params.items() if name not in ("_meta", "task", "elicitationId")}
        text = written({"method": Member(None, dumps(question.request.method)), "params": Member(None, written(kept))})
    requests = written({KEY: Member(None, text)})
    return written({"inputRequests": Member(None, requests)}, resultType="input_required", requestState=state)


def answer_in(params: Members) -> Member | None:
    """The client's answer among its input responses."""
    responses = params.get("inputResponses")
    if responses is None or not isinstance(responses.value, dict):
        return None
    found = members_of(responses.raw).get(KEY)
    return found if found is not None and isinstance(found.value, dict) else None


def digest(method: str, params: Members) -> str:
    """What a request is about: the same when it is sent again with input."""
    same = {
        name: member.raw for name, member in params.items() if name not in ("_meta", "inputResponses", "requestState")
    }
    return hashlib.sha256(dumps([method, sorted(same.items())]).encode()).hexdigest()
