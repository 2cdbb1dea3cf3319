"""An object is read after its session let go of it, in a way that needs the session.

## What it does
Finds reads of lazy relationships and expired attributes of an ORM object after its session was closed. What belongs to
an `AsyncSession` can't be loaded by reading it at all: there, a commit (with `expire_on_commit`) or a rollback is
enough, and so is a relationship or deferred column that the query did not load.

## Why is this bad
It raises `DetachedInstanceError`, and with an `AsyncSession` that is still open `MissingGreenlet`, often only for some
rows or on some path: in the `except` that rolls back, and then logs which row it was. It is the opposite of a hold, and
nearly always born when a hold was mended by hand.

## Known problems
A relationship counts as lazy unless the query that loaded the object is seen to load it, or its definition does. The
one object behind a foreign key is found without a query where the session has it already, which letgo does not know.

## Fix safety
Load it with the query (`selectinload`, `joinedload`), or copy what is needed while the session is open.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import quoted
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import FastAPI

from shop import NewSession, Order

app = FastAPI()


@app.get("/orders/{order_id}/email")
async def email_of(order_id: int):
    async with NewSession() as db:
        order = await db.get_one(Order, order_id)
    return {"email": order.customer.email}  # expect: LG402
""",
)

GOOD = (
    """\
from fastapi import FastAPI
from sqlalchemy.orm import joinedload

from shop import NewSession, Order

app = FastAPI()


@app.get("/orders/{order_id}/email")
async def email_of(order_id: int):
    async with NewSession() as db:
        order = await db.get_one(Order, order_id, options=[joinedload(Order.customer)])
        email = order.customer.email
    return {"email": email}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.DETACHED, message, advice)


def message(misuse: Misuse) -> str:
    if is_unloaded(misuse):
        return f"{quoted(misuse, 'this')} is not loaded yet, and can't be by reading it: its session is asynchronous"
    return f"{quoted(misuse, 'this')} is read after its session was let go, and needs it"


def is_unloaded(misuse: Misuse) -> bool:
    """Whether the session is there, and the read itself is all that is wrong."""
    return any(step.site == misuse.site for step in misuse.trail)


def advice(misuse: Misuse) -> str:
    if is_unloaded(misuse):
        return f"Load {quoted(misuse, 'it')} with the query (`selectinload`), or before it is read (`refresh`)."
    return f"Load {quoted(misuse, 'it')} with the query, or copy it into a variable while the session is open."


RULE = Rule("LG402", "read-after-release", Group.AFTER_RELEASE, 25, __doc__, BAD, GOOD, check)
