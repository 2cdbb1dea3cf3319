"""A transaction is still open while a template is rendered.

## What it does
Finds `TemplateResponse(...)` and other rendering of templates while a transaction is open.

## Why is this bad
Starlette's `TemplateResponse` renders in its constructor, so inside the handler, and nothing that runs after the
handler can help. A page with many rows renders for longer than its query took, with a connection held for nothing.

## Known problems
A template that reads an unloaded relationship does query. Load what it needs first: a template is a poor place for
queries, since nobody sees them there.

## Fix safety
After `close()` the template may only read what is loaded. Plain dictionaries are safest.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI, Request
from fastapi.templating import Jinja2Templates
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()
templates = Jinja2Templates("templates")


@app.get("/orders")
async def orders_page(request: Request, db: AsyncSession = Depends(get_db)):
    orders = (await db.scalars(select(Order))).all()
    return templates.TemplateResponse(request, "orders.html", {"orders": orders})  # expect: LG102
""",
)

GOOD = (
    """\
from fastapi import Depends, FastAPI, Request
from fastapi.templating import Jinja2Templates
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Order, get_db

app = FastAPI()
templates = Jinja2Templates("templates")


@app.get("/orders")
async def orders_page(request: Request, db: AsyncSession = Depends(get_db)):
    rows = (await db.execute(select(Order.id, Order.amount))).all()
    orders = [{"id": row.id, "amount": row.amount} for row in rows]
    await db.commit()
    return templates.TemplateResponse(request, "orders.html", {"orders": orders})
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.RENDER


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while `{wait.what}` renders{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return f"{let_go_before(hold, 'rendering')} Give the template plain data that needs no query."


RULE = Rule("LG102", "open-while-rendering", Group.RESPONSE, 40, __doc__, BAD, GOOD, check)
