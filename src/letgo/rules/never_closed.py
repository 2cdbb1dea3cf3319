"""A session is not closed on some path.

## What it does
Finds sessions that code makes itself (a factory's result in a variable) and that some path leaves without a `close()`:
an early return, a `continue`, or every path.

## Why is this bad
An abandoned session with an open transaction keeps its connection until the cyclic garbage collector finds it. Under
load the pool is empty long before.

## Known problems
A session that is handed on to an object or returned is that owner's to close, and is not reported.

## Fix safety
A `with` block closes on every path. It rolls back what was not committed, as the garbage collector would have done.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from shop import NewSyncSession, Order


def state_of(order_id: int) -> str:
    db = NewSyncSession()  # expect: LG501
    order = db.get(Order, order_id)
    if order is None:
        return "unknown"
    state = order.state
    db.close()
    return state
""",
)

GOOD = (
    """\
from shop import NewSyncSession, Order


def state_of(order_id: int) -> str:
    with NewSyncSession() as db:
        order = db.get(Order, order_id)
        return "unknown" if order is None else order.state
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.NEVER_CLOSED, message, advice)


def message(misuse: Misuse) -> str:
    path = f" ({misuse.detail})" if misuse.detail else ""
    return f"the session of `{misuse.session.name}` is not closed on every path{path}"


def advice(misuse: Misuse) -> str:
    return f"Open it in a `with` block of `{misuse.session.name}`, which closes on every path."


RULE = Rule("LG501", "never-closed", Group.ORIGINS, 84, __doc__, BAD, GOOD, check)
