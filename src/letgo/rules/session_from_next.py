"""A session is taken out of its generator with `next()`.

## What it does
Finds `next(get_db())` and its asynchronous kin, where the generator itself is not kept.

## Why is this bad
Nothing refers to the generator after `next()`, so CPython finalises it at once and its `finally: db.close()` runs
before the session is used. The first statement then silently opens the session again, and nothing is left to close it.
It reads as if the dependency took care.

## Known problems
A generator that is kept in a variable and exhausted or closed later is not reported.

## Fix safety
Use the factory in a `with` block, or `contextlib.contextmanager(get_db)`. Where the dependency commits after its
`yield`, the `with` block then commits too.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from shop import Order, get_sync_db


def close_order(order_id: int) -> None:
    db = next(get_sync_db())  # expect: LG503
    order = db.get_one(Order, order_id)
    order.state = "closed"
    db.commit()
""",
)

GOOD = (
    """\
from contextlib import contextmanager

from shop import Order, get_sync_db

session_scope = contextmanager(get_sync_db)


def close_order(order_id: int) -> None:
    with session_scope() as db:
        order = db.get_one(Order, order_id)
        order.state = "closed"
        db.commit()
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.FINALISED_GENERATOR, message, advice)


def message(misuse: Misuse) -> str:
    return f"`{misuse.session.name}` ends as soon as `next()` returns; its session opens again and nothing closes it"


def advice(misuse: Misuse) -> str:
    return f"Use `with contextmanager({misuse.session.name})() as db:`, or the session factory in a `with` block."


RULE = Rule("LG503", "session-from-next", Group.ORIGINS, 86, __doc__, BAD, GOOD, check)
