"""A version of the program that is tried begins with what was found in the one that is most like it."""

from pathlib import Path

from letgo.fix.memories import Memories
from letgo.source.codebase import CodeBase
from letgo.source.outline import outline
from letgo.source.reading import understand


def version(*bodies: str, parameter: str = "db") -> CodeBase:
    """A program of functions with these bodies."""
    text = "".join(f"def f{number}({parameter}):\n    {body}\n" for number, body in enumerate(bodies))
    module = understand(text, "app.py")
    return CodeBase(Path(), (module,), outlines={"app.py": outline(module, text)})


def said(directory: Path) -> str:
    return (directory / "facts.now").read_text()


def remembering(directory: Path, *versions: CodeBase) -> Memories:
    """Each version's number was found in it."""
    (directory / "facts.now").write_text("0")
    memories = Memories(versions[0], directory)
    for number, each in enumerate(versions[1:], 1):
        (memories.of(each) / "facts.now").write_text(str(number))
    return memories


def test_a_version_begins_with_the_one_that_shares_most_functions(tmp_path: Path) -> None:
    memories = remembering(tmp_path, version("a()", "b()", "c()"), version("x()", "y()", "c()"))
    assert said(memories.of(version("x()", "y()", "z()"))) == "1"
    assert said(memories.of(version("a()", "b()", "z()"))) == "0"


def test_of_versions_that_are_as_like_the_last_is_taken(tmp_path: Path) -> None:
    memories = remembering(tmp_path, version("a()", "b()"), version("x()", "b()"), version("a()", "y()"))
    assert said(memories.of(version("z()", "z()"))) == "2"


def test_a_version_that_means_the_same_to_others_goes_before_one_that_does_not(tmp_path: Path) -> None:
    memories = remembering(tmp_path, version("a()", "b()"), version("x()", "y()", parameter="session"))
    assert said(memories.of(version("x()", "y()"))) == "0"


def test_what_is_found_in_a_version_does_not_change_what_is_known_of_another(tmp_path: Path) -> None:
    memories = remembering(tmp_path, version("a()"))
    (memories.of(version("x()")) / "facts.now").write_text("other")
    assert said(tmp_path) == "0"
