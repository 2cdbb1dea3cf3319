"""What a file means to the others: its outline changes with that, and with nothing else."""

from textwrap import dedent

import pytest

from letgo.source.frozen import freeze, thaw
from letgo.source.outline import Outline, outline
from letgo.source.reading import understand


def outlined(code: str) -> Outline:
    text = dedent(code)
    return outline(understand(text, "app.py"), text)


HANDLER = """
    from fastapi import APIRouter, Depends
    router = APIRouter()

    @router.get("/books")
    def books(request: Request, db: Session = Depends(get_db)):
        found = sorted(db.query(Book), key=lambda book: book.title)
        request.app.state.templates
        return render(found)
"""

FACTORY = """
    def needs(role):
        def check(user):
            return user.role == role
        return {returned}
"""


def test_a_file_means_the_same_however_it_was_read() -> None:
    text = dedent(HANDLER + FACTORY.format(returned="check"))
    module = understand(text, "app.py")
    thawed = thaw(freeze(module))
    assert thawed is not None
    assert outline(thawed, text) == outline(module, text)


def test_what_a_handler_answers_means_nothing_to_other_functions() -> None:
    changed = HANDLER.replace("return render(found)", "response = render(found)\n        return response")
    assert outlined(changed).digest == outlined(HANDLER).digest
    assert outlined(changed).details != outlined(HANDLER).details


@pytest.mark.parametrize("returned", ["other", "partial(check, 1)", "lambda user: True", "[check]"])
def test_which_function_a_function_hands_out_means_something(returned: str) -> None:
    assert outlined(FACTORY.format(returned=returned)).digest != outlined(FACTORY.format(returned="check")).digest


def test_a_function_handed_out_by_another_name_is_seen() -> None:
    by_name = FACTORY.replace("return {returned}", "found = {returned}\n        return found")
    assert outlined(by_name.format(returned="check")).digest != outlined(by_name.format(returned="None")).digest


@pytest.mark.parametrize("maker", ["Depends", "Security", "fastapi.Depends"])
def test_the_dependency_that_a_function_makes_means_something(maker: str) -> None:
    code = """
        def needs(role):
            found = {maker}({what})
            return found
    """
    before, after = (outlined(code.format(maker=maker, what=what)) for what in ("get_db", "get_other_db"))
    assert before.digest != after.digest
