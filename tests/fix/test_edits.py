"""Laws of edits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo.fix.edits import Edit, apply, insert, merged, overlap

TEXTS = st.text(alphabet="ab \n\r\tä€", max_size=40)


@st.composite
def edits_of(draw: st.DrawFn) -> tuple[str, list[Edit]]:
    """A text, and edits of it that don't overlap."""
    text = draw(TEXTS)
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    return text, [Edit(start, end, draw(TEXTS)) for start, end in pairs]


@given(edits_of(), st.randoms())
def test_the_order_in_which_edits_are_given_does_not_matter_but_at_one_place(
    given_edits: tuple[str, list[Edit]], random: object
) -> None:
    text, edits = given_edits
    apart = [edit for edit in merged(edits) if sum(other.start == edit.start for other in edits) == 1]
    if overlap(apart):
        return
    shuffled = list(apart)
    random.shuffle(shuffled)
    assert apply(text, shuffled) == apply(text, apart)


@given(edits_of())
def test_what_no_edit_names_stays(given_edits: tuple[str, list[Edit]]) -> None:
    text, edits = given_edits
    edits = [edit._replace(replacement="") for edit in dict.fromkeys(edits)]
    if overlap(edits):
        return
    kept = "".join(char for place, char in enumerate(text) if not any(edit.start <= place < edit.end for edit in edits))
    assert apply(text, edits) == kept


@given(TEXTS)
def test_an_edit_that_is_given_twice_is_made_once(text: str) -> None:
    assert apply(text, [insert(0, "x"), insert(0, "x")]) == f"x{text}"


def test_edits_that_overlap_are_refused() -> None:
    assert overlap([Edit(0, 3, "a"), Edit(2, 4, "b")])
    with pytest.raises(ValueError, match="overlap"):
        apply("abcdef", [Edit(0, 3, "a"), Edit(2, 4, "b")])


def test_an_edit_outside_of_the_text_is_refused() -> None:
    with pytest.raises(ValueError, match="outside"):
        apply("abc", [Edit(2, 9, "x")])


def test_an_insertion_may_touch_what_another_edit_replaces() -> None:
    assert apply("abc", [insert(1, "x"), Edit(1, 2, "B"), insert(2, "y")]) == "axByc"
