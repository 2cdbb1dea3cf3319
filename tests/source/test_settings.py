"""`[tool.letgo]`: where settings are found, what they may say, and what a person is told who mistypes one."""

from pathlib import Path

import pytest

from letgo.holds import Confidence, WaitKind
from letgo.source.errors import UserError
from letgo.source.settings import Settings, explain_settings, find_settings, overridden, read_settings

RULES = ("LG101", "LG201", "LG202", "LG506", "open-while-serialising", "unused-session")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def pyproject(directory: Path, table: str) -> Path:
    return write(directory / "pyproject.toml", f'[project]\nname = "shop"\n\n[tool.letgo]\n{table}\n')


def error_of(directory: Path, table: str) -> UserError:
    pyproject(directory, table)
    with pytest.raises(UserError) as caught:
        find_settings([directory], RULES)
    return caught.value


# --- where they are found --------------------------------------------------------------------------------------------


def test_without_a_file_everything_has_its_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    settings = find_settings([tmp_path], RULES)
    assert settings.file is None
    assert settings.select == ("LG",)
    assert settings.baseline == tmp_path / "letgo-baseline.json"


def test_the_nearest_file_upward_of_the_checked_paths_counts(tmp_path: Path) -> None:
    pyproject(tmp_path, "preview = true")
    nearer = pyproject(tmp_path / "services/shop", "strict = true")
    module = write(tmp_path / "services/shop/app/api.py", "")
    settings = find_settings([module, module.parent], RULES)
    assert (settings.file, settings.root, settings.strict, settings.preview) == (nearer, nearer.parent, True, False)


def test_paths_of_two_projects_take_the_settings_above_both(tmp_path: Path) -> None:
    top = pyproject(tmp_path, "preview = true")
    pyproject(tmp_path / "one", "strict = true")
    pyproject(tmp_path / "two", "strict = true")
    assert find_settings([tmp_path / "one", tmp_path / "two"], RULES).file == top


def test_a_pyproject_that_does_not_speak_of_letgo_is_passed_by_even_if_it_is_broken(tmp_path: Path) -> None:
    top = pyproject(tmp_path, "strict = true")
    write(tmp_path / "app/pyproject.toml", "[project\n")
    assert find_settings([tmp_path / "app"], RULES).file == top


@pytest.mark.parametrize("name", ["letgo.toml", ".letgo.toml"])
def test_a_file_of_its_own_needs_no_table(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, "strict = true\n")
    assert find_settings([tmp_path], RULES).strict


def test_two_files_side_by_side_are_an_error_instead_of_a_guess(tmp_path: Path) -> None:
    write(tmp_path / "letgo.toml", "strict = true\n")
    error = error_of(tmp_path, "strict = false")
    assert "letgo.toml and pyproject.toml" in error.message


def test_a_file_that_was_named_must_be_there_and_have_settings(tmp_path: Path) -> None:
    for path in (tmp_path / "letgo.toml", write(tmp_path / "pyproject.toml", "[tool.ruff]\n")):
        with pytest.raises(UserError, match="there are no settings of letgo"):
            read_settings(path, RULES)


def test_a_file_that_was_named_may_have_any_name(tmp_path: Path) -> None:
    assert read_settings(write(tmp_path / "strict.toml", "strict = true\n"), RULES).strict


# --- what they say ---------------------------------------------------------------------------------------------------


def test_every_setting_is_read(tmp_path: Path) -> None:
    file = pyproject(
        tmp_path,
        """
        select = ["LG1", "unused-session"]
        ignore = ["LG506"]
        extend-select = ["LG2"]
        per-file-ignores = { "tests/*" = ["LG"], "app/old.py" = ["LG101"] }
        exclude = ["migrations"]
        extend-exclude = ["vendor"]
        min-confidence = "certain"
        strict = true
        preview = true
        fastapi-version = "0.115"
        jobs = 4
        cache-dir = ".cache/letgo"
        fix-style = "runtime"
        allowlist = "ci/allowed.json"
        baseline = "ci/baseline.json"
        sessions = ["acme.db.UnitOfWork"]
        openers = ["acme.db.open_unit"]
        releasers = ["acme.db.let_go"]
        harmless = ["acme.llm.Prompt"]
        waits = { external = ["acme.llm.Model"], compute = ["acme.score.*"] }
        """,
    )
    assert find_settings([tmp_path], RULES) == Settings(
        select=("LG1", "unused-session"),
        ignore=("LG506",),
        extend_select=("LG2",),
        per_file_ignores=(("tests/*", ("LG",)), ("app/old.py", ("LG101",))),
        exclude=("migrations",),
        extend_exclude=("vendor",),
        min_confidence=Confidence.CERTAIN,
        strict=True,
        preview=True,
        fastapi_version="0.115",
        jobs=4,
        cache_dir=tmp_path / ".cache/letgo",
        fix_style="runtime",
        allowlist=tmp_path / "ci/allowed.json",
        baseline=tmp_path / "ci/baseline.json",
        sessions=("acme.db.UnitOfWork",),
        openers=("acme.db.open_unit",),
        releasers=("acme.db.let_go",),
        waits=(("acme.llm.Model", WaitKind.EXTERNAL), ("acme.score.*", WaitKind.COMPUTE)),
        harmless=("acme.llm.Prompt",),
        root=tmp_path,
        file=file,
    )


def test_a_plain_list_of_waits_is_external_calls(tmp_path: Path) -> None:
    pyproject(tmp_path, 'waits = ["acme.client.Client"]')
    assert find_settings([tmp_path], RULES).waits == (("acme.client.Client", WaitKind.EXTERNAL),)


# --- what is wrong with them -----------------------------------------------------------------------------------------


def test_a_mistyped_setting_is_named_with_its_line_and_the_one_that_was_meant(tmp_path: Path) -> None:
    error = error_of(tmp_path, "strict = true\nextend_select = []")
    assert error.message == f"{tmp_path / 'pyproject.toml'}:6: extend_select is not a setting"
    assert error.hint == "Did you mean 'extend-select'?"


def test_a_setting_like_no_other_is_answered_with_the_list(tmp_path: Path) -> None:
    assert "per-file-ignores" in error_of(tmp_path, "qqq = 1").hint


@pytest.mark.parametrize(
    ("table", "message", "hint"),
    [
        ("strict = 1", "strict is a number", "true or false"),
        ('select = "LG1"', "select is a string", "list of strings"),
        ("select = [1]", "select is a list", "list of strings"),
        ('select = ["LG7"]', "'LG7', which is no rule", "letgo rules"),
        ('select = [""]', "'', which is no rule", "letgo rules"),
        ('ignore = ["unused-sesion"]', "'unused-sesion'", "Did you mean 'unused-session'?"),
        ("per-file-ignores = []", "per-file-ignores is a list", "table"),
        ('per-file-ignores = { "tests/*" = ["LG999"] }', "'LG999'", "letgo rules"),
        ('min-confidence = "certian"', "min-confidence is 'certian'", "Did you mean 'certain'?"),
        ("fastapi-version = 0.115", "fastapi-version is a number", "in quotes"),
        ('fastapi-version = ">=0.115"', "fastapi-version is '>=0.115'", "0.115.6"),
        ("jobs = 0", "jobs is 0", "1 or more"),
        ("jobs = true", "jobs is a boolean", "1 or more"),
        ("cache-dir = 3", "cache-dir is a number", "in quotes"),
        ('fix-style = "quiet"', "fix-style is 'quiet'", "explicit, runtime"),
        ('waits = ["not a name"]', "waits names 'not a name'", "package.module"),
        ('openers = ["a..b"]', "openers names 'a..b'", "package.module"),
        ('waits = { exernal = ["a.b"] }', "'exernal', which is no kind of wait", "Did you mean 'external'?"),
        ('waits = { serialise = ["a.b"] }', "'serialise', which is no kind of wait", "external, sleep"),
        ('waits = { sleep = "a.b" }', "waits is a string", "list of strings"),
    ],
)
def test_a_wrong_value_is_explained(tmp_path: Path, table: str, message: str, hint: str) -> None:
    error = error_of(tmp_path, table)
    assert message in error.message
    assert f"{tmp_path / 'pyproject.toml'}:5: " in error.message
    assert hint in error.hint


@pytest.mark.parametrize("text", [b"[tool.letgo\n", b"[tool.letgo]\nselect = [\n", b"# letgo \xff\n"])
def test_a_file_that_is_no_toml_is_an_error_with_its_name(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text)
    with pytest.raises(UserError) as caught:
        find_settings([tmp_path], RULES)
    assert str(tmp_path / "pyproject.toml") in caught.value.message


def test_settings_that_are_no_table_are_an_error(tmp_path: Path) -> None:
    write(tmp_path / "pyproject.toml", "[tool]\nletgo = true\n")
    with pytest.raises(UserError, match="a boolean, not a table"):
        find_settings([tmp_path], RULES)


def test_an_error_in_a_nested_table_is_found_on_its_line(tmp_path: Path) -> None:
    error = error_of(tmp_path, 'strict = true\n[tool.letgo.waits]\nexernal = ["a.b"]')
    assert "pyproject.toml:6: waits has 'exernal'" in error.message


# --- the command line ------------------------------------------------------------------------------------------------


def test_the_command_line_replaces_what_a_file_says_and_adds_to_what_extends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pyproject(tmp_path, 'select = ["LG1"]\nextend-select = ["LG201"]\nbaseline = "old.json"\nexclude = ["a"]')
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path / "sub")
    given = {"select": ["LG2"], "extend_select": ("LG506",), "baseline": "new.json", "extend_exclude": ["b"]}
    settings = overridden(find_settings([Path()], RULES), given, RULES)
    assert settings.select == ("LG2",)
    assert settings.extend_select == ("LG201", "LG506")
    assert settings.baseline == tmp_path / "sub/new.json"
    assert settings.excluded == ("a", "b")


def test_a_wrong_option_is_called_by_its_name() -> None:
    with pytest.raises(UserError) as caught:
        overridden(Settings(), {"extend_select": ["LG9999"]}, RULES)
    assert caught.value.message == "command line: --extend-select names 'LG9999', which is no rule"


# --- letgo config ----------------------------------------------------------------------------------------------------


def test_every_value_is_told_with_where_it_came_from(tmp_path: Path) -> None:
    pyproject(tmp_path, 'ignore = ["LG506"]\nwaits = ["acme.a", "acme.b"]\nper-file-ignores = { "t/*" = ["LG1"] }')
    text = explain_settings(overridden(find_settings([tmp_path], RULES), {"strict": True}, RULES))
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert lines[0] == f"Settings from {tmp_path / 'pyproject.toml'}"
    assert 'select ["LG"] default' in lines
    assert 'ignore ["LG506"] pyproject.toml' in lines
    assert "strict true command line" in lines
    assert 'per-file-ignores { "t/*" = ["LG1"] } pyproject.toml' in lines
    assert 'waits { "external" = ["acme.a", "acme.b"] } pyproject.toml' in lines
    assert "jobs (found by letgo) default" in lines


def test_without_a_file_the_defaults_are_told_as_such() -> None:
    assert explain_settings(Settings()).startswith("No settings file was found")
