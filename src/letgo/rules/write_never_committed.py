"""A write is never committed.

## What it does
Finds `add`, `delete` and other writes after which some path ends the session without a commit: neither the code nor
the dependency nor a caller in sight commits.

## Why is this bad
The write is rolled back without a word, and the client has a success in hand. Where the commit is left to the end of
the dependency, it runs after the response: when it fails, the client is never told.

## Known problems
In preview: a commit by a middleware, an event listener or a caller outside the checked code is not seen.

## Fix safety
A commit makes the write last. That was surely meant, but have a look at what else the session holds by then.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import quoted
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from shop import NewSyncSession, Order


def create_order(customer_id: int, amount: int) -> None:
    with NewSyncSession() as db:
        db.add(Order(customer_id=customer_id, amount=amount, state="new"))  # expect: LG505
""",
)

GOOD = (
    """\
from shop import NewSyncSession, Order


def create_order(customer_id: int, amount: int) -> None:
    with NewSyncSession() as db:
        db.add(Order(customer_id=customer_id, amount=amount, state="new"))
        db.commit()
""",
    """\
from shop import NewSyncSession, Order


def create_order(customer_id: int, amount: int) -> None:
    with NewSyncSession.begin() as db:
        db.add(Order(customer_id=customer_id, amount=amount, state="new"))
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.UNCOMMITTED, message, advice)


def message(misuse: Misuse) -> str:
    return f"{quoted(misuse, 'this write')} is never committed on some path"


def advice(misuse: Misuse) -> str:
    return f"Commit before the session of `{misuse.session.name}` ends."


RULE = Rule("LG505", "write-never-committed", Group.ORIGINS, 42, __doc__, BAD, GOOD, check, preview=True)
