"""A route class that lets go, for part of an app.

```python
router = APIRouter(route_class=ReleasingRoute)
```
"""

from collections.abc import Callable, Coroutine
from typing import Any, ClassVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from letgo.runtime import fastapi_hooks, releasing
from letgo.runtime.releasing import Handling, Policy
from letgo.runtime.request import entered


class ReleasingRoute(APIRoute):
    """An `APIRoute` whose endpoint lets go when it returns. A subclass may state another `policy`.

    What `install` does around a whole app it does not: close the generator of a stream that was cut short, and end
    what a stream or a background task has opened.
    """

    policy: ClassVar[Policy] = Policy()

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        fastapi_hooks.hook()
        handle = super().get_route_handler()

        async def let_go(request: Request) -> Response:
            with entered(request.scope) as whole, Handling(whole, self.policy) as current:
                response = await handle(request)
                if not current.kept:
                    await releasing.end_all_reads_async(whole)  # before a generator endpoint's stream
                return response

        return let_go
