"""Files are replaced whole, as they were but for the repair, and only if they are still what was read."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from letgo.fix.writing import refuse_uncommitted, uncommitted, write
from letgo.source.errors import UserError

HOLD = """\
from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session

from shop import Order, get_sync_db

router = APIRouter()


@router.get("/orders/{order_id}")
def state_of(order_id: int, db: Session = Depends(get_sync_db)):
    return {"state": db.get_one(Order, order_id).state}
"""


def git(directory: Path, *command: str) -> None:
    name = ["-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run(["git", *name, *command], cwd=directory, check=True, capture_output=True)


def test_a_file_keeps_its_mode(workshop) -> None:
    path = workshop.write("module.py", HOLD)
    path.chmod(0o754)
    _, fixed = workshop.repair()
    assert write(fixed.program) == {}
    assert "db.close()" in path.read_text()
    assert path.stat().st_mode & 0o777 == 0o754


def test_a_link_stays_a_link(workshop, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere.txt"
    target.write_text(HOLD)
    link = workshop.directory / "module.py"
    link.symlink_to(target)
    _, fixed = workshop.repair()
    write(fixed.program)
    assert link.is_symlink()
    assert "db.close()" in target.read_text()


def test_a_file_that_was_changed_meanwhile_is_left_alone(workshop) -> None:
    path = workshop.write("module.py", HOLD)
    _, fixed = workshop.repair()
    path.write_text(HOLD + "# saved by an editor\n")
    assert write(fixed.program) == {"module.py": "it was changed meanwhile"}
    assert path.read_text() == HOLD + "# saved by an editor\n"


KILLED = """
import os, sys
from pathlib import Path
from letgo import repairing
from letgo.source.settings import Settings
os.fsync = lambda descriptor: os.kill(os.getpid(), 9)
repairing.fix([Path(sys.argv[1])], Settings(root=Path(sys.argv[1])), use_cache=False)
"""


def test_who_is_killed_while_writing_leaves_the_old_file_whole(workshop) -> None:
    path = workshop.write("module.py", HOLD)
    done = subprocess.run([sys.executable, "-c", KILLED, str(workshop.directory)], check=False, capture_output=True)
    assert done.returncode == -9, done.stderr
    assert path.read_text() == HOLD


SLOW = KILLED.replace("os.kill(os.getpid(), 9)", "time.sleep(0.05)").replace("import os, sys", "import os, sys, time")


def test_who_is_killed_between_files_leaves_each_of_them_whole(workshop) -> None:
    paths = [workshop.write(f"module_{number}.py", HOLD) for number in range(12)]
    _, fixed = workshop.repair()
    new = {name: content.decode() for name, content in fixed.program.written.items()}
    assert sorted(new) == sorted(path.name for path in paths)
    process = subprocess.Popen([sys.executable, "-c", SLOW, str(workshop.directory)])
    while process.poll() is None and all(path.read_text() == HOLD for path in paths):
        time.sleep(0.002)
    process.kill()
    assert process.wait() == -9
    now = {path.name: path.read_text() for path in paths}
    assert all(text in (HOLD, new[name]) for name, text in now.items())
    assert len(set(now.values())) == 2


def test_nothing_is_left_beside_the_file(workshop) -> None:
    workshop.write("module.py", HOLD)
    _, fixed = workshop.repair()
    write(fixed.program)
    assert sorted(path.name for path in workshop.directory.iterdir()) == ["module.py", "shop.py"]


def test_uncommitted_changes_are_seen(workshop) -> None:
    path = workshop.write("module.py", HOLD)
    git(workshop.directory, "init", "-q")
    git(workshop.directory, "add", "module.py")
    git(workshop.directory, "commit", "-q", "-m", "begin")
    assert uncommitted(workshop.directory, ["module.py"]) == []
    path.write_text(HOLD + "\n")
    assert uncommitted(workshop.directory, ["module.py"]) == ["module.py"]
    with pytest.raises(UserError, match="uncommitted"):
        refuse_uncommitted(workshop.directory, ["module.py"])
    assert uncommitted(workshop.directory, ["shop.py"]) == []


def test_a_tree_without_git_has_nothing_uncommitted(workshop) -> None:
    workshop.write("module.py", HOLD)
    assert uncommitted(workshop.directory, ["module.py"]) == []
