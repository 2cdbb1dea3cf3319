"""A small census that every form of the audit is tried on."""

from collections.abc import Callable
from pathlib import Path

import pytest

from letgo.holds import Hold, Origin, Site, Source, Wait, WaitKind
from letgo.lifetime.categories import Category
from letgo.lifetime.census import Census, Handler
from letgo.lifetime.convention import Verdict


def hold(handler: Site, *kinds: WaitKind) -> Hold:
    opened = Site(handler.path, handler.line + 2, handler.function)
    waits = tuple(Wait(kind, kind.value, Site(handler.path, handler.line + 4, handler.function)) for kind in kinds)
    return Hold(handler, Source(Origin.DEPENDENCY, "get_db", handler), opened, waits, None, True, (handler,))


@pytest.fixture
def census_of() -> Callable[..., Census]:
    """A census of one handler, with whatever names and texts are to be tried."""

    def build(path: str = "app/main.py", function: str = "read", reason: str = "", root: Path = Path("shop")) -> Census:
        site = Site(path, 3, function)
        holds = (hold(site, WaitKind.EXTERNAL),)
        handler = Handler(
            site, 9, "db", "get_db", Verdict.MISSING_BOTH, reason, categories=(Category.EXTERNAL,), holds=holds
        )
        return Census(root, (handler,))

    return build


@pytest.fixture
def census() -> Census:
    listing = Site("app/items.py", 10, "list_items")
    page = Site("app/items.py", 30, "page")
    move = Site("app/items.py", 50, "move")
    health = Site("app/health.py", 5, "health")
    save = Site("app/users.py", 7, "Users.save")
    return Census(
        Path("shop"),
        (
            Handler(health, 8, "db", "get_db", Verdict.EXCEPTION, "unused", categories=(Category.UNUSED,)),
            Handler(
                listing,
                25,
                "db",
                "get_db",
                Verdict.MISSING_BOTH,
                categories=(Category.EXTERNAL, Category.SERIALISE),
                holds=(hold(listing, WaitKind.EXTERNAL, WaitKind.SERIALISE),),
            ),
            Handler(page, 45, "db", "get_db", Verdict.MISSING_CLOSE, commits=(40,), categories=(Category.RENDER,)),
            Handler(
                move,
                70,
                "db",
                "get_db",
                Verdict.CORRECT,
                commits=(60,),
                closes=(61,),
                categories=(Category.BRANCH,),
                holds=(hold(move, WaitKind.BRANCH),),
            ),
            Handler(save, 20, "session", "get_session", Verdict.CORRECT, commits=(15,), closes=(16,)),
        ),
    )
