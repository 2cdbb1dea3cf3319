"""When a dependency ends, and how letgo knows which FastAPI a code base runs on."""

import importlib.metadata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from letgo.lifetime.framework import NEWEST, ExitMoment, Version, detect, ends, fastapi_version, newest_allowed
from letgo.source.errors import UserError


def version(text: str) -> Version:
    return Version(*map(int, text.split(".")))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The root of a repository, so that no file above it counts."""
    (tmp_path / ".git").mkdir()
    return tmp_path


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


# --- when it ends ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("release", "default", "function_scope"),
    [
        ("0.105.0", ExitMoment.AFTER_RESPONSE, ExitMoment.AFTER_RESPONSE),
        ("0.106.0", ExitMoment.BEFORE_RESPONSE, ExitMoment.BEFORE_RESPONSE),
        ("0.117.1", ExitMoment.BEFORE_RESPONSE, ExitMoment.BEFORE_RESPONSE),
        ("0.118.0", ExitMoment.AFTER_RESPONSE, ExitMoment.AFTER_RESPONSE),
        ("0.120.4", ExitMoment.AFTER_RESPONSE, ExitMoment.AFTER_RESPONSE),
        ("0.121.0", ExitMoment.AFTER_RESPONSE, ExitMoment.BEFORE_RESPONSE),
        (str(NEWEST), ExitMoment.AFTER_RESPONSE, ExitMoment.BEFORE_RESPONSE),
    ],
)
def test_each_series_of_releases_ends_dependencies_at_its_own_moment(release, default, function_scope):
    assert ends(version(release), None) == ends(version(release), "request") == default
    assert ends(version(release), "function") == function_scope


# --- which version ---------------------------------------------------------------------------------------------------

LOCKED = (
    '[[package]]\nname = "fastapi-utils"\nversion = "9.9.9"\n\n[[package]]\nname = "fastapi"\nversion = "0.110.2"\n'
)


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("uv.lock", LOCKED),
        ("poetry.lock", LOCKED),
        ("pdm.lock", LOCKED),
        ("Pipfile.lock", '{"default": {"fastapi": {"version": "==0.110.2"}}}'),
        ("requirements.txt", "starlette==1.0\nfastapi-users==1.2.3\nFastAPI==0.110.2  # the web\n"),
        ("requirements-dev.txt", "fastapi[standard] == 0.110.2 ; python_version > '3.8'\n"),
        ("requirements/base.txt", "fastapi==0.110.2 \\\n    --hash=sha256:00\n"),
        ("pyproject.toml", '[project]\ndependencies = ["fastapi[all]==0.110.2"]\n'),
        ("pyproject.toml", '[project.optional-dependencies]\nweb = ["fastapi==0.110.2"]\n'),
        ("pyproject.toml", '[dependency-groups]\nweb = [{include-group = "x"}, "fastapi==0.110.2"]\n'),
        ("pyproject.toml", '[tool.poetry.dependencies]\nfastapi = "0.110.2"\n'),
        ("pyproject.toml", '[tool.poetry.group.web.dependencies]\nfastapi = {version = "0.110.2", extras = ["all"]}\n'),
    ],
)
def test_a_version_is_read_from_locks_and_pins(project, file, text):
    write(project / file, text)
    assert detect(project) == (version("0.110.2"), str(project / file))


def test_the_version_given_by_hand_goes_before_all_files(project):
    write(project / "uv.lock", LOCKED)
    assert detect(project, "0.99") == (version("0.99.0"), "given")


@pytest.mark.parametrize("text", ["", "latest", "0.x", "1..2", "-1"])
def test_a_version_that_is_none_is_refused(project, text):
    with pytest.raises(UserError, match="not a version"):
        fastapi_version(project, text)


def test_a_lock_file_above_goes_before_a_range_beside_the_code(project):
    write(project / "uv.lock", LOCKED)
    write(project / "services/api/pyproject.toml", '[project]\ndependencies = ["fastapi>=0.100"]\n')
    assert fastapi_version(project / "services/api") == version("0.110.2")


def test_of_two_lock_files_the_nearer_counts(project):
    write(project / "uv.lock", LOCKED)
    write(project / "api/uv.lock", LOCKED.replace("0.110.2", "0.118.0"))
    assert fastapi_version(project) == version("0.110.2")
    assert fastapi_version(project / "api") == version("0.118.0")


def test_the_directories_of_a_monorepo_are_asked_when_its_root_knows_nothing(project):
    write(project / "backend/requirements/default.txt", "fastapi==0.110.2\n")
    write(project / ".venv/requirements.txt", "fastapi==0.1.0\n")
    assert fastapi_version(project) == version("0.110.2")


def test_files_above_the_repository_do_not_count(project):
    write(project / "requirements.txt", "fastapi==0.110.2\n")
    (project / "inner/.git").mkdir(parents=True)
    assert fastapi_version(project / "inner") != version("0.110.2")


def test_without_a_word_about_fastapi_the_installed_version_counts(project):
    assert detect(project) == (version(importlib.metadata.version("fastapi")), "installed")


@pytest.mark.parametrize("file", ["pyproject.toml", "uv.lock", "Pipfile.lock", "requirements.txt"])
@pytest.mark.parametrize("content", [b"\xff\xfe", b"[[package", b"{}", b'{"default": []}', b"\0"])
def test_a_broken_file_names_no_version(project, file, content):
    (project / file).write_bytes(content)
    write(project / "api/uv.lock", LOCKED)
    assert fastapi_version(project) == version("0.110.2")


@pytest.mark.parametrize(
    ("specifier", "expected"),
    [
        ("==0.110.2", "0.110.2"),
        ("0.110.2", "0.110.2"),
        ("==0.110.*", "0.110.0"),
        ("==0.*", str(NEWEST)),
        ("~=0.110.1", "0.110.1"),
        ("~=0.110", str(NEWEST)),
        ("^0.110.0", "0.110.0"),
        ("^0.110", "0.110.0"),
        ("~0.110", "0.110.0"),
        ("<0.106", "0.105.0"),
        (">=0.100,<0.118.0", "0.117.0"),
        ("<0.115.5,!=0.115.3", "0.115.4"),
        ("<=0.112.1", "0.112.1"),
        ("<1", str(NEWEST)),
        (">=0.100", str(NEWEST)),
        ("*", str(NEWEST)),
        ("", str(NEWEST)),
    ],
)
def test_of_a_range_the_newest_version_counts(specifier, expected):
    assert newest_allowed(specifier) == version(expected)


@given(st.text(alphabet="0123456789.<>=!~^*, v"))
def test_any_specifier_gives_a_known_version(text):
    assert newest_allowed(text) <= NEWEST


@given(st.integers(0, 400), st.integers(0, 40))
def test_an_exact_version_is_itself_up_to_the_newest_known(minor, patch):
    exact = Version(0, minor, patch)
    assert newest_allowed(f"=={exact}") == min(exact, NEWEST)
