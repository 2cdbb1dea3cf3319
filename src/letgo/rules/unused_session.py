"""A session is asked for and never used.

## What it does
Finds handlers with an injected session that their body never names.

## Why is this bad
It costs a session per request for nothing, and misleads: a reader must search for the query that is not there. When a
dependency shares the session and queries, the handler even holds a transaction it knows nothing of.

## Known problems
In preview: an unused session is no hold. A parameter whose name begins with an underscore is taken as meant.

## Fix safety
Removing the parameter is safe when nobody calls the handler as a function and the dependency has no effect of its own,
such as a commit after its `yield` for what other dependencies wrote.
"""

from collections.abc import Iterator

from letgo.holds import Finding, Misuse, MisuseKind
from letgo.lifetime.facts import Facts
from letgo.picture.words import quoted
from letgo.rules.finding import of_misuses
from letgo.rules.rule import Group, Rule

BAD = (
    """\
from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import get_db

app = FastAPI()


@app.get("/health")
async def health(db: AsyncSession = Depends(get_db)):  # expect: LG506
    return {"status": "ok"}
""",
)

GOOD = (
    """\
from fastapi import FastAPI

app = FastAPI()


@app.get("/health")
async def health():
    return {"status": "ok"}
""",
)


def check(facts: Facts) -> Iterator[Finding]:
    return of_misuses(RULE, facts.misuses, MisuseKind.UNUSED, message, advice)


def message(misuse: Misuse) -> str:
    return f"{quoted(misuse, 'the session')} from `{misuse.session.name}` is never used"


def advice(misuse: Misuse) -> str:
    return "Remove the parameter, or begin its name with an underscore if it must stay."


RULE = Rule("LG506", "unused-session", Group.ORIGINS, 5, __doc__, BAD, GOOD, check, preview=True)
