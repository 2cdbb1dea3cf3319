"""A request that waits on another worker for the input that a client has brought here."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from letgo_gateway.mcp.bridge import Client
from letgo_gateway.mcp.relay import Relay
from letgo_gateway.upstreams.calls import Era
from letgo_gateway.upstreams.messages import (
    INTERNAL_ERROR,
    INVALID_PARAMS,
    Failure,
    Member,
    Message,
    members_of,
    written,
)

ANSWER_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Brought:
    """Input for the question `key`, in a request that is `about` something; `answer` None: it has none with it."""

    key: str
    subject: str
    about: str
    method: str
    answer: Member | None


Resume = Callable[[Brought, Client], Awaitable[str]]


class Elsewhere:
    """Hands what is brought to the worker that waits for it, and takes what others bring."""

    def __init__(self, relay: Relay, worker: str, resume: Resume) -> None:
        self._relay, self._worker, self._resume = relay, worker, resume
        self._asked: dict[str, tuple[Client, asyncio.Future[str]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        relay.on("brought", self._brought)
        relay.on("noted", self._noted)
        relay.on("resumed", self._resumed)

    async def resume(self, worker: str, brought: Brought, client: Client) -> str:
        """The text of the result that the other worker gets. Raises `Failure`."""
        reference = secrets.token_urlsafe(9)
        result: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._asked[reference] = client, result
        try:
            await self._relay.tell(
                "brought",
                to=worker,
                reference=reference,
                key=brought.key,
                subject=brought.subject,
                about=brought.about,
                method=brought.method,
                answer=brought.answer.raw if brought.answer else None,
            )
            async with asyncio.timeout(ANSWER_SECONDS):
                return await result
        except TimeoutError:
            raise Failure(INVALID_PARAMS, "nothing waits for this input any more") from None
        finally:
            del self._asked[reference]

    def _brought(self, told: dict[str, Any]) -> None:
        if told["to"] == self._worker:
            task = asyncio.create_task(self._go_on(told))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _go_on(self, told: dict[str, Any]) -> None:
        """Go on with a request for the worker that has brought its input."""
        reference, raw = told["reference"], told["answer"]
        answer = Member({name: one.value for name, one in members_of(raw).items()}, raw) if raw else None
        brought = Brought(told["key"], told["subject"], told["about"], told["method"], answer)
        try:
            result = await self._resume(brought, Afar(self._relay, reference))
        except Failure as failure:
            await self._relay.tell("resumed", reference=reference, error=failure.body())
        except Exception:
            await self._relay.tell("resumed", reference=reference, error={"code": INTERNAL_ERROR, "message": "failed"})
            raise
        else:
            await self._relay.tell("resumed", reference=reference, result=result)

    def _noted(self, told: dict[str, Any]) -> None:
        if (asked := self._asked.get(told["reference"])) is not None:
            message = Message(method=told["method"], params=members_of(told["params"]))
            task = asyncio.create_task(asked[0].notify(message))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _resumed(self, told: dict[str, Any]) -> None:
        asked = self._asked.get(told["reference"])
        if asked is None or asked[1].done():
            return
        if (error := told.get("error")) is not None:
            asked[1].set_exception(Failure(error["code"], error["message"], error.get("data")))
        else:
            asked[1].set_result(told["result"])


class Afar:
    """The client of a request, on another worker. It is modern: only those bring their input with a request."""

    era: Era = "modern"

    def __init__(self, relay: Relay, reference: str) -> None:
        self._relay, self._reference = relay, reference

    async def notify(self, message: Message) -> None:
        params = written(message.params or {})
        await self._relay.tell("noted", reference=self._reference, method=message.method, params=params)

    async def ask(self, method: str, params: str | None) -> Message:
        raise Failure(INTERNAL_ERROR, f"a modern client is not asked {method} like this")
