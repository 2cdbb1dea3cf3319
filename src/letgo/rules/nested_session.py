"""A second session opens while the first still holds its connection.

## What it does
Finds a session that begins a transaction, here or in a callee, while another session of the same function has one open.

## Why is this bad
One request then needs two connections. When all of the pool's are first ones, every request waits for a second that
never comes: a deadlock that no database can see. Two transactions also don't see each other's unsaved writes.

## Known problems
A callee with a session of its own is often meant, as for an audit log that is kept when the work fails; then commit
before it, or do it afterwards. Sessions of two different databases draw on two pools.

## Fix safety
Handing the first session down puts both pieces of work into one transaction: they then commit and fail together.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from shop import Customer, NewSyncSession, Order


def close_order(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        with NewSyncSession() as second:
            second.get_one(Customer, order.customer_id).salt = b""  # expect: LG504
            second.commit()
        order.state = "closed"
        db.commit()
""",
)

GOOD = (
    """\
from shop import Customer, NewSyncSession, Order


def close_order(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        db.get_one(Customer, order.customer_id).salt = b""
        order.state = "closed"
        db.commit()
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.NESTED, message, advice)


def message(misuse: Misuse) -> str:
    second = f" of `{misuse.detail}`" if misuse.detail else ""
    return f"a second session{second} opens while that of `{misuse.session.name}` still holds its connection"


def advice(misuse: Misuse) -> str:
    return "Hand the first session down, or commit it before the second opens."


RULE = Rule("LG504", "nested-session", Group.ORIGINS, 45, __doc__, BAD, GOOD, check)
