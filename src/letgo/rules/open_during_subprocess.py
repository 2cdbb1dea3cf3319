"""A transaction is open while the code waits for a process or a thread.

## What it does
Finds subprocesses that are run or waited for, joins of threads and processes, and results of executors while a
transaction is open.

## Why is this bad
A converter, a compiler or a video tool runs for seconds to minutes, and a connection is held for each of them. A thread
that itself needs a connection, waited for while holding one, can deadlock on an empty pool.

## Known problems
A process that only starts, and is not waited for, is not reported.

## Fix safety
As with an external call: read again what the second transaction writes.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits
from letgo.rules.rule import Group, Rule

BAD = (
    """\
import subprocess

from shop import NewSyncSession, Order


def print_invoice(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        subprocess.run(["print-invoice", str(order.amount)], check=True)  # expect: LG203
""",
)

GOOD = (
    """\
import subprocess

from shop import NewSyncSession, Order


def print_invoice(order_id: int) -> None:
    with NewSyncSession() as db:
        amount = db.get_one(Order, order_id).amount
    subprocess.run(["print-invoice", str(amount)], check=True)
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.PROCESS


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while `{wait.what}` runs{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return f"{let_go_before(hold, 'it runs')} Keep what it needs in variables; write its result afterwards."


RULE = Rule("LG203", "open-during-subprocess", Group.WAITING, 80, __doc__, BAD, GOOD, check)
