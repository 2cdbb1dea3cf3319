from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

from letgo.lifetime.census import Census
from letgo.report.audit_markdown import code, render_markdown

reader = MarkdownIt("commonmark").enable("table")


def tables(text: str) -> list[list[list[str]]]:
    """Each table as rows of cells, as a Markdown reader sees them."""
    found: list[list[list[str]]] = []
    for token in reader.parse(text):
        if token.type == "table_open":
            found.append([])
        elif token.type == "tr_open":
            found[-1].append([])
        elif token.type == "inline" and found and found[-1] and token.level > 2:
            found[-1][-1].append(plain(token))
    return found


def plain(token: Token) -> str:
    return "".join(child.content for child in token.children or () if child.type in ("text", "code_inline"))


def test_totals_files_and_plan_are_tables_a_reader_understands(census: Census) -> None:
    totals, files, plan = tables(render_markdown(census))
    assert totals[0] == ["", "Count", "Hold on some path", "Hold nothing"]
    assert totals[-1] == ["Handlers", "5", "2", "3"]
    assert files[1] == ["app/items.py", "3", "1", "1", "1", "0", "2"]
    assert files[-1] == ["Total", "5", "1", "1", "2", "1", "2"]
    assert [row[:3] for row in plan[1:]] == [
        ["A response serialisation", "0", ""],
        ["B template rendering", "1", "app/items.py 1"],
        ["C branches and redirects", "1", "app/items.py 1"],
        ["D streams and tasks", "0", ""],
        ["E external calls and other waits", "1", "app/items.py 1"],
        ["F session never used", "1", "app/health.py 1"],
    ]


def test_the_plan_names_every_handler_that_needs_work_once(census: Census) -> None:
    boxes = [line for line in render_markdown(census).splitlines() if line.startswith("- [ ] ")]
    assert sorted(line.split("`")[3] for line in boxes) == [
        "app/health.py:5",
        "app/items.py:10",
        "app/items.py:30",
        "app/items.py:50",
    ]


def test_an_entry_says_where_the_hold_opens_and_what_it_waits_for(census: Census) -> None:
    entry = next(line for line in render_markdown(census).splitlines() if line.startswith("- [ ] `list_items`"))
    assert "missing both, holds during external call, serialise, also A" in entry
    assert "Opens at `app/items.py:12`" in entry
    assert "not let go before it is left" in entry


def test_a_handler_with_many_holds_tells_the_first_and_counts_the_rest(census: Census) -> None:
    listing = census.handlers[1]
    crowd = Census(census.root, (replace(listing, holds=listing.holds * 5),))
    entry = next(line for line in render_markdown(crowd).splitlines() if line.startswith("- [ ] `list_items`"))
    assert entry.count("Opens at") == 3
    assert entry.endswith("; and 2 more holds")


def test_an_exception_is_listed_with_its_reason(census: Census) -> None:
    assert "- `health` `app/health.py:5`: unused" in render_markdown(census)


def test_no_handlers_at_all_is_a_sentence() -> None:
    assert "No handler has a session injected." in render_markdown(Census(Path("shop"), ()))


names = st.text(st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("`|\\<>*_[]"), min_size=1, max_size=20)


@given(names)
def test_no_name_breaks_out_of_its_code_span(name: str) -> None:
    inline = reader.parseInline(f"x {code(name)} y")[0]
    assert [child.type for child in inline.children or ()] == ["text", "code_inline", "text"]


@given(path=names)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_path_breaks_a_table(census_of: Callable[..., Census], path: str) -> None:
    _, files, _ = tables(render_markdown(census_of(path=path)))
    assert [len(row) for row in files] == [6, 6, 6] or [len(row) for row in files] == [7, 7, 7]
