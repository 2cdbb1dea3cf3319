"""Puts the new texts in the place of the old, each file whole or not at all."""

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from letgo.fix.program import Program
from letgo.fix.texts import FileText
from letgo.source.errors import UserError


def write(program: Program) -> dict[str, str]:
    """Writes every file that has a new text; the paths of those that were left alone, with the reason.

    A file that is not any more what was read is left alone: the repairs were proven for another text.
    """
    left = {}
    for path, content in program.written.items():
        try:
            _replace(program.files[path], content)
        except OSError as error:
            left[path] = error.strerror or str(error)
    return left


def _replace(file: FileText, content: bytes) -> None:
    """Writes beside the file, and moves that into its place: whoever dies meanwhile, the file is the old or the new."""
    target = file.location.resolve()
    status = target.stat()
    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".letgo")
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as writing:
            writing.write(content)
            writing.flush()
            os.fsync(writing.fileno())
        temporary.chmod(status.st_mode & 0o7777)
        if target.read_bytes() != file.content:
            raise OSError(None, "it was changed meanwhile")
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def uncommitted(root: Path, paths: Sequence[str]) -> list[str]:
    """Those of the paths that git knows and that hold changes not committed; none where there is no git."""
    if not paths:
        return []
    command = ["git", "-C", str(root), "status", "--porcelain=v1", "-z", "--untracked-files=no", "--", *paths]
    try:
        done = subprocess.run(command, capture_output=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return []
    entries = done.stdout.decode(errors="surrogateescape").split("\0") if done.returncode == 0 else []
    return [entry[3:] for entry in entries if entry[2:3] == " "]


def refuse_uncommitted(root: Path, paths: Sequence[str]) -> None:
    """Raises UserError when a file to be written has changes that git could not bring back."""
    if dirty := uncommitted(root, paths):
        named = ", ".join(dirty[:5]) + (f" and {len(dirty) - 5} more" if len(dirty) > 5 else "")
        raise UserError(
            f"files to be changed have uncommitted changes: {named}",
            "commit them, or say --allow-dirty; --diff only shows",
        )
