"""Files that are written in unusual ways are repaired rightly, or left as they are."""

import ast

import pytest

HANDLER = '''\
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from shop import Order, get_sync_db

router = APIRouter()


@router.get("/orders/{order_id}")
def state_of(order_id: int, db: Session = Depends(get_sync_db)):
    """Größe: 漢字."""
    order = db.get_one(Order, order_id); größe = "ß€漢"  # ¡ay!
    return {"state": order.state, "größe": größe}  # ✓
'''


def released(text: str) -> bool:
    return "db.commit()" in text and "db.close()" in text


def repaired(workshop, content: bytes) -> bytes:
    path = workshop.directory / "module.py"
    path.write_bytes(content)
    _, fixed = workshop.repair()
    return fixed.program.written.get("module.py", content)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
def test_line_ends_stay_as_they_are(end: str, workshop) -> None:
    before = HANDLER.replace("\n", end)
    after = repaired(workshop, before.encode()).decode()
    assert released(after)
    assert after.replace(end, "").count("\n") == after.replace(end, "").count("\r") == 0
    ast.parse(after)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-8"])
def test_a_byte_order_mark_stays(encoding: str, workshop) -> None:
    after = repaired(workshop, HANDLER.encode(encoding))
    assert after.startswith(HANDLER.encode(encoding)[:3])
    assert released(after.decode(encoding))


def test_a_declared_encoding_stays(workshop) -> None:
    before = (
        "# -*- coding: latin-1 -*-\n" + HANDLER.replace("漢字", "é").replace("€漢", "é").replace("✓", "é")
    ).encode("latin-1")
    after = repaired(workshop, before)
    assert released(after.decode("latin-1"))
    assert "größe".encode("latin-1") in after


def test_tabs_and_form_feeds_stay(workshop) -> None:
    before = HANDLER.replace("    ", "\t").replace("\n\n\n@", "\n\n\x0c\n@")
    after = repaired(workshop, before.encode()).decode()
    assert released(after)
    assert "\n\tdb.commit()\n" in after
    assert "\x0c" in after


def test_a_file_without_a_last_line_end_gets_no_broken_line(workshop) -> None:
    after = repaired(workshop, HANDLER.rstrip().encode()).decode()
    assert released(after)
    ast.parse(after)


def test_a_return_on_the_line_of_its_if_gets_lines_of_its_own(workshop) -> None:
    before = HANDLER.replace("    return", '    if order.amount: return {"amount": order.amount}\n    return')
    after = repaired(workshop, before.encode()).decode()
    assert "    if order.amount:\n        response = " in after
    ast.parse(after)


@pytest.mark.parametrize(
    "line",
    [
        'x = 1; return {"state": order.state}',
        'return {"state": order.state}; x = 1',
        'if order.amount: x = 1; return {"state": order.state}',
    ],
)
def test_a_return_that_shares_its_line_is_left_with_a_reason(line: str, workshop) -> None:
    before = HANDLER.partition("    return")[0] + f"    {line}\n    return 1\n"
    workshop.write("module.py", before)
    _, fixed = workshop.repair()
    text = fixed.program.texts["module.py"]
    ast.parse(text)
    assert line in text
    assert any("more than one statement" in left.reason for left in fixed.left)


def test_match_walrus_and_decorators_over_lines(workshop) -> None:
    text = """\
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from shop import Order, get_sync_db

router = APIRouter()


@router.get(
    "/orders/{order_id}",
    tags=["a"],
)
def state_of(
    order_id: int,
    db: Session = Depends(get_sync_db),
):
    match order := db.get(Order, order_id):
        case None:
            return {"state": None}
        case Order() if (amount := order.amount) > 3:
            return {"state": order.state, "amount": amount}

    def inner():
        return order

    return {
        "state": order.state,
        # the inner one returns for itself
        "inner": inner().state,
    }
"""
    after = workshop.fixed(text)
    assert after.count("db.commit()") == 3
    assert "        return order\n" in after
    ast.parse(after)


def test_a_file_that_is_no_python_is_not_touched(workshop) -> None:
    before = HANDLER + "\n\ndef broken(:\n"
    assert workshop.fixed(before) == before


OPENED = '''\
import httpx

from shop import NewSyncSession, Order

TOLD = 0


def tell(order_id: int) -> str:
    db = NewSyncSession()
    # größe
    order = db.get(Order, order_id)
    if order is None:
        httpx.get("https://nobody.example")
        return ""
    if order.amount > 3:
        httpx.get("https://much.example")
        return """
    not code
"""
    told = (
        order.state,
        order.amount,  # ¡ay!
    )
    httpx.get("https://some.example")
    return str(told)
'''


@pytest.mark.parametrize(
    ("end", "indent", "encoding"),
    [
        ("\n", "    ", "utf-8"),
        ("\r\n", "\t", "latin-1"),
        ("\r", "  ", "utf-8-sig"),
        ("\r\n", "\t", "utf-8-sig"),
    ],
)
def test_lines_move_into_a_with_and_strings_stay(end: str, indent: str, encoding: str, workshop) -> None:
    declared = f"# coding: {encoding}\n" if encoding == "latin-1" else ""
    before = (declared + OPENED).replace("    ", indent).replace("\n", end)
    path = workshop.directory / "module.py"
    path.write_bytes(before.encode(encoding))
    found, fixed = workshop.repair(unsafe=True)
    after = fixed.program.written["module.py"].decode(encoding)
    assert found
    assert not fixed.left
    assert f"{indent}with NewSyncSession() as db:{end}{indent * 2}# größe{end}" in after
    assert f'return """{end}{indent}not code{end}"""{end}' in after
    assert after.count("db.commit()") == 3
    assert after.replace(end, "").count("\n") == after.replace(end, "").count("\r") == 0
    ast.parse(after)


def test_an_encoding_that_is_not_declared_rightly_leaves_the_file(workshop) -> None:
    path = workshop.directory / "module.py"
    path.write_bytes(("# coding: latin-1\n" + OPENED).replace("\n", "\r").encode("latin-1"))
    _, fixed = workshop.repair(unsafe=True)
    assert fixed.program.written == {}
    assert [unreadable.path for unreadable in fixed.program.codebase.unreadable] == ["module.py"]
