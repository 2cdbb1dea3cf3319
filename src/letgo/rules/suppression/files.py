"""Reading and writing the two JSON files without ever losing one."""

import json
import tempfile
from pathlib import Path

from letgo.source.errors import UserError


def read_json(path: Path) -> tuple[str, object] | None:
    """The file's text and what it says; None when there is no such file. Raises `UserError` on anything else."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeError) as error:
        raise UserError(f"{path}: cannot be read: {error}") from error
    try:
        return text, json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}:{error.colno}: this is not JSON: {error.msg}") from error
    except RecursionError as error:
        raise UserError(f"{path}: this is nested too deeply") from error


def write_json(path: Path, content: object) -> None:
    """Writes the file whole or not at all. Raises `UserError` when it can't be written."""
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    write_text(path, text)


def write_text(path: Path, text: str) -> None:
    """Puts the text beside the file and then in its place. Raises `UserError` when it can't be written."""
    # A path that is not UTF-8 comes as lone surrogates: escaped, they are still valid JSON.
    content = text.encode(errors="backslashreplace")
    target = path.resolve()
    try:
        with tempfile.NamedTemporaryFile(dir=target.parent, prefix=f".{target.name}.", delete=False) as file:
            file.write(content)
        temporary = Path(file.name)
        try:
            temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o644)
            temporary.replace(target)
        except BaseException:
            temporary.unlink()
            raise
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}") from error
