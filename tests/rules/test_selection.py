"""Which rules are on: by code, by name, by the beginning of a code, by switch, and by file."""

from letgo.rules.registry import RULES, rule_called
from letgo.rules.selection import covers, selected
from letgo.source.settings import Settings


def on(**settings: object) -> set[str]:
    return {rule.code for rule in selected(Settings(**settings))}  # type: ignore[arg-type]


def starting(beginning: str) -> set[str]:
    return {rule.code for rule in RULES if rule.code.startswith(beginning)}


def test_by_default_everything_is_on_but_preview_and_the_convention() -> None:
    assert on() == starting("LG") - {"LG505", "LG506", "LG901"}


def test_preview_and_strict_add_their_rules() -> None:
    assert on(preview=True) - on() == {"LG505", "LG506"}
    assert on(strict=True) - on() == {"LG901"}


def test_the_beginning_of_a_code_selects_a_group_and_a_name_one_rule() -> None:
    assert on(select=("LG2",)) == starting("LG2")
    assert on(select=("open-while-sleeping",)) == {"LG202"}


def test_extend_select_adds_to_what_is_selected() -> None:
    assert on(select=("LG2",), extend_select=("LG101",)) == starting("LG2") | {"LG101"}


def test_the_longer_selector_wins_and_ignore_when_both_are_as_long() -> None:
    assert on(select=("LG",), ignore=("LG1",)) == on() - starting("LG1")
    assert "LG101" in on(select=("LG", "LG101"), ignore=("LG1",))
    assert on(select=("LG1",), ignore=("LG1",)) == set()
    assert on(select=("LG101",), ignore=("open-while-serialising",)) == set()


def test_a_preview_rule_that_is_named_in_full_is_on_without_the_switch() -> None:
    assert "LG506" in on(extend_select=("unused-session",))
    assert "LG506" not in on(extend_select=("LG5",))


def test_strict_adds_the_convention_to_whatever_is_selected_unless_it_is_ignored() -> None:
    assert on(select=("LG2",), strict=True) == starting("LG2") | {"LG901"}
    assert on(select=("LG2",), strict=True, ignore=("LG9",)) == starting("LG2")


def test_a_glob_takes_files_out_of_rules_by_path_or_by_name() -> None:
    settings = Settings(per_file_ignores=(("scripts/*", ("LG1", "LG2")), ("test_*.py", ("LG",))))
    assert not covers(settings, "scripts/nightly/report.py", "LG101")
    assert covers(settings, "scripts/nightly/report.py", "LG301")
    assert not covers(settings, "app/orders/test_pay.py", "LG301")
    assert covers(settings, "app/scripts.py", "LG101")
    assert not covers(settings, "app/scripts.py", "LG506")


def test_a_leading_double_star_also_matches_the_top() -> None:
    settings = Settings(per_file_ignores=(("**/migrations/*", ("LG",)),))
    assert not covers(settings, "migrations/env.py", "LG101")
    assert not covers(settings, "app/migrations/env.py", "LG101")


def test_a_rule_is_called_by_code_or_name_in_any_case() -> None:
    assert rule_called("lg201") is rule_called("Open-During-External-Call") is not None
    assert rule_called("LG999") is None
