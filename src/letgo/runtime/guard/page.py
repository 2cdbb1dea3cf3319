"""placeholder"""

from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from letgo.runtime.guard.recorder import Recorder

Access = Callable[[Scope], bool]


class Page:
    def __init__(self, recorder: Recorder, access: Access | None = None) -> None:
        self.recorder = recorder

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None: ...
