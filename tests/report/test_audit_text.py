from pathlib import Path

from letgo.lifetime.census import Census
from letgo.report.audit_text import render_text


def cells(text: str, first: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(first))


def test_a_file_is_one_line_of_counts(census: Census) -> None:
    text = render_text(census)
    assert cells(text, "file") == [
        "file",
        "handlers",
        "missing",
        "both",
        "missing",
        "close",
        "correct",
        "exception",
        "holding",
    ]
    assert cells(text, "app/items.py") == ["app/items.py", "3", "1", "1", "1", "·", "2"]


def test_the_total_adds_up_the_files(census: Census) -> None:
    assert cells(render_text(census), "total") == ["total", "5", "1", "1", "2", "1", "2"]


def test_the_file_with_most_to_do_comes_first(census: Census) -> None:
    text = render_text(census)
    assert text.index("app/items.py") < text.index("app/health.py") < text.index("app/users.py")


def test_what_really_happens_stands_beside_the_verdicts(census: Census) -> None:
    assert cells(render_text(census), "2 correct") == ["2", "correct", "1", "1"]


def test_a_correct_handler_that_still_holds_is_named(census: Census) -> None:
    text = render_text(census)
    assert "1 keep the convention and still hold a transaction on some path" in text
    assert "app/items.py:50  move  holds during branch" in text


def test_a_handler_that_misses_a_call_and_holds_nothing_is_named(census: Census) -> None:
    after = render_text(census).partition("1 miss a call but hold nothing\n")[2]
    assert after.splitlines()[0].split() == ["app/items.py:30", "page"]


def test_a_long_list_says_how_much_it_left_out(census: Census) -> None:
    crowd = Census(census.root, census.handlers * 12)
    assert "and 2 more: the markdown, json and html reports list them all" in render_text(crowd)


def test_there_are_no_colours_unless_asked_for(census: Census) -> None:
    assert "\x1b" not in render_text(census)
    assert "\x1b" in render_text(census, color=True)


def test_no_handlers_at_all_is_a_sentence() -> None:
    assert render_text(Census(Path("shop"), ())) == "No handler has a session injected.\n"
