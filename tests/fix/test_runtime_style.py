"""With `fix-style = "runtime"` repairs are written in the words of `letgo.runtime`."""

from pathlib import Path

from letgo import repairing
from letgo.rules.shop import SHOP
from letgo.source.settings import Settings

EXAMPLES = Path(__file__).parents[1] / "examples" / "repairs"


def repaired(directory: Path, text: str) -> str:
    (directory / "shop.py").write_text(SHOP)
    (directory / "module.py").write_text(text)
    settings = Settings(root=directory, preview=True, jobs=1, fastapi_version="0.121.0", fix_style="runtime")
    _, fixed = repairing.repaired([directory], settings, unsafe=True, use_cache=False)
    return fixed.program.texts["module.py"]


def test_a_session_is_released_before_the_return(tmp_path: Path) -> None:
    text = repaired(tmp_path, (EXAMPLES / "returns.py").read_text())
    assert "from letgo.runtime import release\n" in text
    assert 'await release(db, unsaved="commit")\n    return response' in text
    assert 'await release(db, unsaved="rollback")\n        return response' in text


def test_a_task_works_in_a_fresh_session(tmp_path: Path) -> None:
    text = repaired(tmp_path, (EXAMPLES / "sources.py").read_text())
    assert "    with fresh_session(NewSyncSession) as db:\n        db.get_one" in text
    assert "from letgo.runtime import fresh_session\n" in text
