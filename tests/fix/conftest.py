"""A code base in a directory, and what fixing it gives."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from letgo import repairing
from letgo.fix.fixing import Fixed
from letgo.holds import Finding
from letgo.rules.shop import SHOP
from letgo.source.settings import Settings


@dataclass(frozen=True)
class Workshop:
    """A directory with the shop of all examples, whose files are repaired in memory."""

    directory: Path

    def write(self, name: str, text: str) -> Path:
        path = self.directory / name
        path.write_text(text)
        return path

    def settings(self, **given: object) -> Settings:
        return Settings(root=self.directory, preview=True, jobs=1, fastapi_version="0.121.0", **given)

    def repair(self, *, unsafe: bool = False, **given: object) -> tuple[tuple[Finding, ...], Fixed]:
        return repairing.repaired([self.directory], self.settings(**given), unsafe=unsafe, use_cache=False)

    def fixed(self, text: str, *, unsafe: bool = False, **given: object) -> str:
        """What becomes of a module's text."""
        self.write("module.py", text)
        _, fixed = self.repair(unsafe=unsafe, **given)
        return fixed.program.texts.get("module.py", text)


@pytest.fixture
def workshop(tmp_path: Path) -> Workshop:
    (tmp_path / "shop.py").write_text(SHOP)
    return Workshop(tmp_path)


Repair = Callable[..., str]
