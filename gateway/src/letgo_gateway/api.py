"""What endpoints ask for."""

from typing import Annotated

from fastapi import Depends, Query, Request

from letgo_gateway.errors import Forbidden, Unauthenticated
from letgo_gateway.identity.principal import Principal
from letgo_gateway.rooms import Rooms, rooms_of


async def shared(request: Request) -> Rooms:
    return rooms_of(request)


async def asking(request: Request) -> Principal:
    """Who asks something else than a virtual server."""
    principal = await rooms_of(request).authenticate(request.headers)
    if principal.server is not None:
        raise Forbidden("this token is for one virtual server alone")
    return principal


async def logged_in(request: Request) -> Principal:
    return known(await asking(request))


async def in_session(request: Request) -> Principal:
    principal = known(await rooms_of(request).authenticate(request.headers, must_change=True))
    if principal.token is not None:
        raise Forbidden("an API token can't do this; log in")
    return principal


def known(principal: Principal) -> Principal:
    if principal.user is None:
        raise Unauthenticated("credentials are needed: Authorization: Bearer <token>")
    return principal


async def client_address(request: Request) -> str | None:
    return request.client.host[:64] if request.client is not None else None


Shared = Annotated[Rooms, Depends(shared)]
Asking = Annotated[Principal, Depends(asking)]
"""Who asks, with credentials or, where the settings allow it, without."""
LoggedIn = Annotated[Principal, Depends(logged_in)]
"""A user, by a session or an API token."""
InSession = Annotated[Principal, Depends(in_session)]
"""A user who has logged in with a password, be it one that must be changed."""
ClientAddress = Annotated[str | None, Depends(client_address)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Cursor = Annotated[str | None, Query(max_length=2000)]
