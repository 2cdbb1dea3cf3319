"""The picture of a hold: its lines of code in the order in which they run, and beside them what happens there.

     12   db=Depends(get_db)):        ○ session injected by `get_db`
     14 ┏ tool = db.get(Tool, key)    ● the transaction begins
     15 ┃ await notify(tool)          ↳ calls `notify`
        ┃ app/mail.py · notify
  >  40 ┃   client.post(URL, tool)    ◆ waits for `httpx.post`
        ┗                             ✗ nothing on this path lets go

The line on the left is there as long as the transaction is open.
"""

import textwrap
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from letgo.holds import Event, Site, Step
from letgo.picture.look import COLOURS, Look, printable


@dataclass(frozen=True, slots=True)
class Row:
    """One step as it is drawn. `heading` is said above it; `bar` is the part of the line beside it, `before` above."""

    step: Step
    heading: str
    number: str
    code: str
    before: str
    bar: str
    after: str


def picture(
    trace: Iterable[Step], code_at: Callable[[Site], str], look: Look, shown: Site | None = None
) -> Iterator[str]:
    """The lines of the picture. `code_at` gives the line of code at a site; the line of `shown` is pointed at."""
    rows = tuple(_rows(trace, code_at, look))
    if not rows:
        return
    digits = max(3, *(len(row.number) for row in rows))
    room = max(40, look.width - digits - 7)
    code_width = min(max(len(row.code) for row in rows), room * 11 // 20)
    text_width = max(20, room - code_width - 4)
    for row in rows:
        if row.heading:
            yield f"   {'':{digits}} {_bar(row.before, look)} {look.paint(row.heading, dim=True)}"
        yield from _draw(row, look, digits, code_width, text_width, _points_at(row, shown))


def _rows(trace: Iterable[Step], code_at: Callable[[Site], str], look: Look) -> Iterator[Row]:
    previous: Site | None = None
    is_open = False
    depth = 0
    for step in trace:
        site = step.site
        heading = ""
        if previous is None or (site.path, site.function) != (previous.path, previous.function):
            heading = printable(f"{site.path} {look.line('in')} {site.function}")
        told = previous is not None and (site.path, site.line) == (previous.path, previous.line)
        if step.event is Event.NEVER_RELEASED:
            heading, told = "", True
        code = "" if told else "  " * depth + printable(code_at(site).strip())
        before = "on" if is_open else ""
        bar, is_open = _bar_at(step.event, is_open)
        yield Row(step, heading, "" if told else str(site.line), code, before, bar, "on" if is_open else "")
        depth = depth + 1 if step.event is Event.CALL else 0
        previous = previous if step.event is Event.NEVER_RELEASED else site


def _bar_at(event: Event, is_open: bool) -> tuple[str, bool]:
    """The part of the line beside an event, and whether the transaction is open after it."""
    match event:
        case Event.OPENED:
            return ("on" if is_open else "begin"), True
        case Event.RELEASED | Event.NEVER_RELEASED:
            return ("end" if is_open else ""), False
        case _:
            return ("on" if is_open else ""), is_open


def _points_at(row: Row, shown: Site | None) -> bool:
    return (
        shown is not None and bool(row.number) and (row.step.site.path, row.step.site.line) == (shown.path, shown.line)
    )


def _draw(row: Row, look: Look, digits: int, code_width: int, text_width: int, pointed: bool) -> Iterator[str]:
    event = row.step.event
    code = row.code
    if len(code) > code_width:
        code = code[: code_width - len(look.line("cut"))].rstrip() + look.line("cut")
    pointer = look.paint(">", fg="red", bold=True) if pointed else " "
    number = look.paint(f"{row.number:>{digits}}", fg=None if pointed else "blue", bold=pointed)
    first, *more = _wrapped(printable(row.step.text), text_width)
    bold = event in (Event.WAIT, Event.OPENED, Event.NEVER_RELEASED)
    mark = look.paint(look.mark(event), fg=COLOURS[event], bold=bold)
    said = look.paint_code(first) if event is not Event.NEVER_RELEASED else look.paint(first, fg="red")
    space = " " * (code_width - len(code))
    yield f" {pointer} {number} {_bar(row.bar, look)} {code}{space}  {mark} {said}"
    for line in more:
        yield f"   {'':{digits}} {_bar(row.after, look)} {'':{code_width}}    {look.paint_code(line)}".rstrip()


def _wrapped(text: str, width: int) -> list[str]:
    return [text] if len(text) <= width else textwrap.wrap(text, width)


def _bar(part: str, look: Look) -> str:
    return look.paint(look.line(part), fg="red", bold=True) if part else " "
