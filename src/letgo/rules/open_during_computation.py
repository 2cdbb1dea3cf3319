"""A transaction is open while the code computes something heavy.

## What it does
Finds password hashing, key derivation, image and document work and other calls known to burn CPU while a transaction
is open.

## Why is this bad
A password hash is slow on purpose: tens to hundreds of milliseconds, during which a connection is held. In an
`async def` handler it also stops every other request of the process.

## Known problems
letgo knows heavy work by the library that does it. A slow loop of your own is not seen.

## Fix safety
Read first, let go, compute, then write in a new transaction. A login must look up the stored hash before it verifies,
so the read transaction can always end before the verification.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Hold, Wait, WaitKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import inside, let_go_before, open_since
from letgo.rules.finding import of_waits
from letgo.rules.rule import Group, Rule

BAD = (
    """\
import hashlib

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, get_db

app = FastAPI()


@app.post("/login")
async def login(customer_id: int, password: str, db: AsyncSession = Depends(get_db)):
    customer = await db.get_one(Customer, customer_id)
    digest = hashlib.scrypt(password.encode(), salt=customer.salt, n=16384, r=8, p=1)  # expect: LG204
    welcome = digest == customer.password
    await db.commit()
    return {"welcome": welcome}
""",
)

GOOD = (
    """\
import hashlib

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, get_db

app = FastAPI()


@app.post("/login")
async def login(customer_id: int, password: str, db: AsyncSession = Depends(get_db)):
    customer = await db.get_one(Customer, customer_id)
    salt, expected = customer.salt, customer.password
    await db.commit()
    digest = hashlib.scrypt(password.encode(), salt=salt, n=16384, r=8, p=1)
    return {"welcome": digest == expected}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_waits(RULE, facts.holds, wanted, message, advice)


def wanted(hold: Hold, wait: Wait) -> bool:
    return wait.kind is WaitKind.COMPUTE


def message(hold: Hold, wait: Wait) -> str:
    return f"{open_since(hold)} while `{wait.what}` computes{inside(hold, wait)}"


def advice(hold: Hold, wait: Wait) -> str:
    return f"{let_go_before(hold, 'computing')} Keep what it needs in variables."


RULE = Rule("LG204", "open-during-computation", Group.WAITING, 50, __doc__, BAD, GOOD, check)
