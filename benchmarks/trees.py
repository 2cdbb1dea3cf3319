"""Trees to measure on: a made-up FastAPI code base of any size, or a copy of a real one."""

import ast
import shutil
from collections.abc import Iterator
from pathlib import Path

DATABASE = """\
from collections.abc import Iterator

from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Session, sessionmaker

engine = create_engine("postgresql+psycopg://localhost/shop")
SessionLocal = sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    pass


def get_db() -> Iterator[Session]:
    db = SessionLocal()
    try:
        yield db
    finally:
        db.close()
"""

MODELS = '''\
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from shop.database import Base


class Thing{n}(Base):
    """What is sold in part {n} of the shop."""

    __tablename__ = "thing_{n}"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(200), index=True)
    price: Mapped[int] = mapped_column(default=0)
    remark: Mapped[str | None] = mapped_column(String(2000), default=None)
    orders: Mapped[list["Order{n}"]] = relationship(back_populates="thing")


class Order{n}(Base):
    __tablename__ = "order_{n}"

    id: Mapped[int] = mapped_column(primary_key=True)
    thing_id: Mapped[int] = mapped_column(ForeignKey("thing_{n}.id"))
    count: Mapped[int] = mapped_column(default=1)
    thing: Mapped[Thing{n}] = relationship(back_populates="orders")
'''

SERVICE = '''\
import logging

import httpx
from fastapi import HTTPException
from sqlalchemy import select
from sqlalchemy.orm import Session

from shop.part_{n}.models import Order{n}, Thing{n}
from shop.part_{n}.prices import discounted, described
from shop.part_{other}.models import Thing{other}

logger = logging.getLogger(__name__)
client = httpx.Client(timeout=10)


class ThingService{n}:
    """Finds, makes and prices the things of part {n}."""

    def __init__(self, db: Session) -> None:
        self.db = db

    def find(self, thing_id: int) -> Thing{n}:
        thing = self.db.get(Thing{n}, thing_id)
        if thing is None:
            logger.warning("thing %s is not there", thing_id)
            raise HTTPException(404, f"no thing {{thing_id}}")
        return thing

    def search(self, words: list[str], limit: int = 20) -> list[Thing{n}]:
        query = select(Thing{n})
        for word in words:
            if not word.strip():
                continue
            query = query.where(Thing{n}.name.contains(word))
        return list(self.db.scalars(query.limit(limit)))

    def create(self, name: str, price: int, *, commit: bool = True) -> Thing{n}:
        thing = Thing{n}(name=name, price=price)
        self.db.add(thing)
        try:
            if commit:
                self.db.commit()
            else:
                self.db.flush()
        except Exception:
            self.db.rollback()
            logger.exception("can't make %s", name)
            raise
        return thing

    def order(self, thing_id: int, count: int) -> Order{n}:
        thing = self.find(thing_id)
        order = Order{n}(thing_id=thing.id, count=count)
        self.db.add(order)
        self.db.commit()
        self.tell(thing, count)
        return order

    def tell(self, thing: Thing{n}, count: int) -> None:
        for attempt in range(3):
            try:
                answer = client.post("https://example.org/orders", json={{"name": thing.name, "count": count}})
                answer.raise_for_status()
                break
            except httpx.HTTPError as error:
                logger.info("attempt %s: %s", attempt, error)
        else:
            logger.error("nobody was told of %s", thing.name)

    def compare(self, thing_id: int) -> dict[str, int]:
        mine = self.find(thing_id)
        others = self.db.scalars(select(Thing{other}).where(Thing{other}.name == mine.name)).all()
        prices = {{other.name: discounted(other.price, 5) for other in others}}
        prices[mine.name] = discounted(mine.price, 10)
        logger.debug(described(mine.name, mine.price))
        return prices
'''

ROUTER = """\
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel
from sqlalchemy.orm import Session

from shop.access import current_user, User
from shop.database import get_db
from shop.part_{n}.services import ThingService{n}

router = APIRouter(prefix="/part-{n}", dependencies=[Depends(current_user)])
Db = Annotated[Session, Depends(get_db)]


class ThingIn(BaseModel):
    name: str
    price: int = 0


class ThingOut(BaseModel):
    id: int
    name: str


@router.get("/things/{{thing_id}}", response_model=ThingOut)
def read_thing(thing_id: int, db: Db):
    return ThingService{n}(db).find(thing_id)


@router.get("/things", response_model=list[ThingOut])
def search_things(db: Db, words: str = "", limit: int = 20):
    found = ThingService{n}(db).search(words.split(), limit)
    db.commit()
    db.close()
    return found


@router.post("/things", response_model=ThingOut, status_code=201)
async def create_thing(thing: ThingIn, request: Request, db: Session = Depends(get_db)):
    service = ThingService{n}(db)
    if request.headers.get("x-dry-run"):
        return {{"id": 0, "name": thing.name}}
    return service.create(thing.name, thing.price)


@router.post("/things/{{thing_id}}/orders")
def order_thing(thing_id: int, count: int, tasks: BackgroundTasks, db: Db, user: User = Depends(current_user)):
    service = ThingService{n}(db)
    order = service.order(thing_id, count)
    tasks.add_task(service.tell, service.find(thing_id), count)
    return {{"order": order.id, "by": user.name}}


@router.get("/things/{{thing_id}}/prices")
def compare_prices(thing_id: int, db: Db):
    return ThingService{n}(db).compare(thing_id)


@router.get("/export")
def export(db: Db):
    def lines():
        for thing in ThingService{n}(db).search([], 10_000):
            yield f"{{thing.id}},{{thing.name}}\\n"

    return StreamingResponse(lines(), media_type="text/csv")
"""

PLAIN = '''\
"""Sums and words that have nothing to do with a database."""

import re
from dataclasses import dataclass, field

STEPS = (10, 25, 50, 100)
PATTERN = re.compile(r"(?P<word>[a-z]+)-(?P<number>[0-9]+)")


@dataclass
class Basket:
    items: list[tuple[str, int]] = field(default_factory=list)
    limit: int = {n}

    def add(self, name: str, price: int) -> None:
        if len(self.items) >= self.limit:
            raise ValueError(f"no room for {{name}}")
        self.items.append((name, price))

    def total(self) -> int:
        return sum(price for _, price in self.items)

    def by_letter(self) -> dict[str, list[str]]:
        letters: dict[str, list[str]] = {{}}
        for name, _ in self.items:
            letters.setdefault(name[:1].upper(), []).append(name)
        return {{letter: sorted(names) for letter, names in sorted(letters.items())}}


def discounted(price: int, percent: int) -> int:
    for step in STEPS:
        if price < step:
            return price
    return price - price * percent // 100


def described(name: str, price: int) -> str:
    match = PATTERN.match(name)
    if match is None:
        return f"{{name}} for {{price}}"
    word, number = match["word"], int(match["number"])
    if number > 1:
        word = f"{{number}} {{word}}s"
    return f"{{word}} for {{price / 100:.2f}}"


def sorted_by_price(items: list[tuple[str, int]], *, dear_first: bool = False) -> list[str]:
    try:
        return [name for name, _ in sorted(items, key=lambda item: item[1], reverse=dear_first)]
    except TypeError:
        return []
'''

ACCESS = """\
from fastapi import Depends, Header, HTTPException
from sqlalchemy import text
from sqlalchemy.orm import Session

from shop.database import get_db


class User:
    def __init__(self, name: str) -> None:
        self.name = name


def current_user(x_token: str = Header(), db: Session = Depends(get_db)) -> User:
    row = db.execute(text("select name from users where token = :token"), {"token": x_token}).first()
    if row is None:
        raise HTTPException(401)
    return User(row.name)
"""

PLAIN_FILES = 8
"""For each part with a database, files without: in large code bases, most lines are of that kind."""


def made_up(directory: Path, lines: int) -> Path:
    """A code base of about so many lines in `directory`."""
    shop = directory / "shop"
    shutil.rmtree(directory, ignore_errors=True)
    shop.mkdir(parents=True)
    (directory / "requirements.txt").write_text("fastapi==0.115.0\n")
    for name, text in {"__init__": "", "database": DATABASE, "access": ACCESS}.items():
        (shop / f"{name}.py").write_text(text)
    written, parts = 0, 0
    while written < lines:
        written += sum(_write(path, text) for path, text in _part(shop / f"part_{parts}", parts))
        parts += 1
    includes = [f"from shop.part_{n}.routes import router as router_{n}" for n in range(parts)]
    calls = [f"app.include_router(router_{n})" for n in range(parts)]
    main = ["from fastapi import FastAPI", "", *includes, "", "app = FastAPI()", *calls, ""]
    (shop / "main.py").write_text("\n".join(main))
    return directory


def _part(directory: Path, number: int) -> Iterator[tuple[Path, str]]:
    names = {"n": number, "other": max(number - 1, 0)}
    files = {"__init__": "", "models": MODELS, "services": SERVICE, "routes": ROUTER, "prices": PLAIN}
    files |= {f"sums_{place}": PLAIN for place in range(PLAIN_FILES)}
    for name, text in files.items():
        yield directory / f"{name}.py", text.format(**names)


def _write(path: Path, text: str) -> int:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return text.count("\n")


def copied(tree: Path, directory: Path) -> Path:
    """The Python files of `tree`, and those that say which versions it runs on."""
    shutil.rmtree(directory, ignore_errors=True)
    for path in tree.rglob("*"):
        if path.is_file() and (path.suffix == ".py" or path.name in ("pyproject.toml", "uv.lock", "requirements.txt")):
            target = directory / path.relative_to(tree)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    return directory


def lines_in(tree: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in tree.rglob("*.py"))


class Edited:
    """A file of middle size with a function whose body gets one more line each time it is touched."""

    def __init__(self, tree: Path) -> None:
        files = sorted((path for path in tree.rglob("*.py") if _place(path)), key=lambda path: path.stat().st_size)
        self.path = files[len(files) // 2]
        self.before = self.path.read_text()
        self.times = 0

    def touch(self) -> None:
        place = _place(self.path)
        assert place is not None
        line, column = place
        self.times += 1
        lines = self.before.split("\n")
        lines.insert(line - 1, f"{' ' * column}touched = {self.times}")
        self.path.write_text("\n".join(lines))

    def restore(self) -> None:
        self.path.write_text(self.before)


def _place(path: Path) -> tuple[int, int] | None:
    """Line and column of the last statement in the first function of a file."""
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, ValueError):
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and len(node.body) > 1:
            return node.body[-1].lineno, node.body[-1].col_offset
    return None
