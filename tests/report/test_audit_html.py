import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from letgo.holds import WaitKind
from letgo.lifetime.census import Census
from letgo.lifetime.convention import Verdict
from letgo.report.audit_html import page_document, render_html
from letgo.report.audit_json import census_document


class Page(HTMLParser):
    """The elements of a page, and the text in each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.title = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        self.inside = tag
        if tag == "script":
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        if self.inside == "script":
            self.scripts[-1] += data
        elif self.inside == "title":
            self.title += data


def embedded(text: str) -> object:
    data, _ = Page(text).scripts
    return json.loads(data)


def test_the_page_carries_the_whole_census(census: Census) -> None:
    page = embedded(render_html(census))
    assert isinstance(page, dict)
    assert page["census"] == census_document(census)


def test_the_page_asks_no_server_for_anything(census: Census) -> None:
    text = render_html(census)
    assert not re.search(r"https?://|//[a-z0-9]|@import|url\(", text.replace("// ", ""))
    loading = {"src", "href", "srcset", "action", "data", "poster"}
    assert not [name for _, attributes in Page(text).elements for name in attributes if name in loading]
    policy = next(
        attributes["content"] for tag, attributes in Page(text).elements if tag == "meta" and "http-equiv" in attributes
    )
    assert policy is not None
    assert policy.startswith("default-src 'none'")


def test_every_wait_kind_and_verdict_has_a_colour_for_light_and_for_dark(census: Census) -> None:
    text = render_html(census)
    for name in (*WaitKind, *Verdict):
        assert len(re.findall(rf"--{name}: #[0-9a-f]{{6}};", text)) == 2, name


def test_every_control_has_a_name_for_screen_readers(census: Census) -> None:
    for tag, attributes in Page(render_html(census)).elements:
        if tag in ("input", "select", "aside", "main"):
            assert attributes.get("aria-label"), tag


def test_the_script_finds_every_element_it_asks_for(census: Census) -> None:
    page = Page(render_html(census))
    made = set(re.findall(r'id: "(\w+)"', page.scripts[1]))
    there = {attributes["id"] for _, attributes in page.elements if "id" in attributes} | made
    assert set(re.findall(r'\bat\("(\w+)"\)', page.scripts[1])) <= there


def test_a_trace_shows_the_lines_of_code_it_speaks_of(census_of: Callable[..., Census], tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text("\n\ndef read(db):\n    pass\n    db.query(User)\n    pass\n    post()\n")
    page = page_document(census_of(path="main.py", root=tmp_path))
    assert page["code"]["main.py"] == {3: "def read(db):", 5: "db.query(User)", 7: "post()"}


def test_a_file_that_is_gone_leaves_the_page_without_its_lines(census: Census) -> None:
    assert set(page_document(census)["code"]["app/items.py"].values()) == {""}


nasty = st.sampled_from(
    [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "]]>",
        "\"'`",
        "&lt;",
        "\u2028\u2029",
        "{{data}}",
        "{{title}}",
    ]
)
texts = st.lists(nasty | st.text(st.characters(exclude_categories=("Cs",))), max_size=4).map("".join)


@given(function=texts, reason=texts, name=texts)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_text_gets_out_of_its_place(census_of: Callable[..., Census], function: str, reason: str, name: str) -> None:
    root = Path("/", name.replace("\0", "").replace("/", "") or "shop")
    census = census_of(function=function, reason=reason, root=root)
    text = render_html(census)
    page = Page(text)
    assert len(page.scripts) == 2
    assert (
        page.title.removeprefix("letgo audit: ") == root.name.replace("\r\n", "\n").replace("\r", "\n") or "\r" in name
    )
    page_data = json.loads(page.scripts[0])
    assert page_data["census"] == census_document(census)
