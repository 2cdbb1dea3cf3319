"""A session is closed only when nothing goes wrong.

## What it does
Finds sessions whose `close()` is passed over by an exception: it stands after statements that can raise and in no
`finally`, or an `except Exception` is to clean up, which a cancelled task does not reach.

## Why is this bad
Errors come together, when the database or a service is in trouble, and each of them then takes a connection along.
`asyncio.CancelledError` is no `Exception`: a client that disconnects can leave a session behind.

## Known problems
Almost every call can raise. Logging, `print` and the methods of lists and dicts are taken not to, nor is a function
that does nothing else.

## Fix safety
A `with` block, or `try` and `finally`, changes nothing on the good path.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from shop import NewSyncSession, Order


def close_order(order_id: int) -> None:
    db = NewSyncSession()  # expect: LG502
    order = db.get_one(Order, order_id)
    order.state = "closed"
    db.commit()
    db.close()
""",
)

GOOD = (
    """\
from shop import NewSyncSession, Order


def close_order(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        order.state = "closed"
        db.commit()
""",
    """\
from shop import NewSyncSession, Order


def close_order(order_id: int) -> None:
    db = NewSyncSession()
    try:
        order = db.get_one(Order, order_id)
        order.state = "closed"
        db.commit()
    finally:
        db.close()
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.ERROR_PATH, message, advice)


def message(misuse: Misuse) -> str:
    path = f" ({misuse.detail})" if misuse.detail else ""
    return f"the session of `{misuse.session.name}` is not closed when an exception is raised{path}"


def advice(misuse: Misuse) -> str:
    return f"Use a `with` block of `{misuse.session.name}`, or close it in a `finally`."


RULE = Rule("LG502", "lost-on-exception", Group.ORIGINS, 58, __doc__, BAD, GOOD, check)
