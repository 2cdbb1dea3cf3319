"""What is proposed does not depend on who looks for it, and what led nowhere is not begun again."""

from dataclasses import replace

from letgo import checking
from letgo.fix.insisting import hopeless
from letgo.fix.kinds import waits
from letgo.fix.program import Look, opened
from letgo.fix.proposing import proposals
from letgo.fix.proving import Trial
from letgo.rules.judging import judge

HEADER = """\
import httpx
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from shop import Book, get_db

router = APIRouter()
"""
HANDLER = """

@router.get("/books/{{number}}/{number}")
def handler_{number}(number: int, db: Session = Depends(get_db)) -> int:
    book = db.get(Book, number)
    httpx.get("https://example.org/")
    return {number}
"""


def looked_at(workshop, handlers: int):
    """A program of so many handlers that wait, and what is known of it."""
    workshop.write("module.py", HEADER + "".join(HANDLER.format(number=number) for number in range(handlers)))
    settings = workshop.settings()
    followed = checking.follow_paths([workshop.directory], settings, use_cache=False)
    wanted = checking.standing(followed, [workshop.directory], settings)
    program, _ = opened(followed.codebase, ["module.py"])
    return program, Look(followed.names, followed.facts, wanted, judge(followed.facts, settings))


def test_two_processes_propose_what_one_does(workshop) -> None:
    program, look = looked_at(workshop, handlers=50)
    alone = proposals(program, look, "explicit", jobs=1)
    assert sum(len(proposal.repairs) for proposal in alone) >= 50
    assert proposals(program, look, "explicit", jobs=2) == alone


def test_a_function_for_which_nothing_is_proposed_after_its_repair_is_without_hope(workshop) -> None:
    program, look = looked_at(workshop, handlers=3)
    stubborn = frozenset({("module.py", "handler_0"), ("module.py", "handler_1")})

    def propose(program, look):
        first = replace(look, wanted=tuple(each for each in look.wanted if each.handler.function != "handler_1"))
        return [
            repair
            for proposal in proposals(program, first, "explicit", jobs=1)
            for repair in proposal.repairs
            if repair.kind == waits.KIND
        ]

    assert hopeless(Trial(program, look, stubborn), propose) == {("module.py", "handler_1")}
