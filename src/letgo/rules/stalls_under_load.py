"""With enough users at once this endpoint stops the app dead.

## What it does
Finds the shapes in which a request that holds a connection needs something that only a request without one can give:
a `def` endpoint with a response model, a `def` endpoint after a dependency that queried, a synchronous background task,
and an `async def` endpoint that awaits while a synchronous session is open.

## Why is this bad
Starlette runs `def` code in 40 threads. Once the pool is empty, all 40 wait for a connection, and those who have one
wait for a thread, to validate their response or to run their task. Nothing moves until `pool_timeout` ends it. Measured
with a pool of 10: 697 requests a second with 40 clients, 2.5 with 200. An `async def` endpoint with a synchronous
session blocks the event loop itself as soon as the pool is empty.

The finding states the number of users, the size of the pool with its overflow and 40 threads, where the pool's size can
be read from the code and is the same for every engine.

## Known problems
A changed thread limit is not seen. A larger pool moves the cliff and does not take it away.

## Fix safety
As for LG101: what is returned must need no query after the commit.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from shop import Order, OrderOut, get_sync_db

app = FastAPI()


@app.get("/orders/{order_id}", response_model=OrderOut)
def read_order(order_id: int, db: Session = Depends(get_sync_db)):  # expect: LG601
    return db.get(Order, order_id)  # expect: LG101
""",
)

GOOD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session

from shop import Order, OrderOut, get_sync_db

app = FastAPI()


@app.get("/orders/{order_id}", response_model=OrderOut)
def read_order(order_id: int, db: Session = Depends(get_sync_db)):
    order = OrderOut.model_validate(db.get_one(Order, order_id))
    db.commit()
    return order
""",
)


WHY = {
    MisuseKind.STALL: "it holds a connection while it needs a thread",
    MisuseKind.EVENT_LOOP_STALL: "it awaits while it holds a connection, for which others stop the event loop",
}


def check(facts: Facts) -> Iterator[Finding]:
    for kind in WHY:
        yield from of_misuses(RULE, facts.misuses, kind, message, advice)


def message(misuse: Misuse) -> str:
    if misuse.detail:
        return f"stops the app dead at about {misuse.detail} users at once: {WHY[misuse.kind]}"
    return f"can stop the app dead under load: {WHY[misuse.kind]}"


def advice(misuse: Misuse) -> str:
    return f"Commit before `return`, and in dependencies that query: `{misuse.session.name}` lets go too late."


RULE = Rule("LG601", "stalls-under-load", Group.STALL, 95, __doc__, BAD, GOOD, check)
