"""Make a database ready: its tables, what every installation has, and an administrator."""

import secrets
from dataclasses import dataclass

from sqlalchemy import delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from letgo_gateway.database.base import Installation
from letgo_gateway.database.changes import TOPICS, Change
from letgo_gateway.database.engine import make_engine
from letgo_gateway.database.migrating import migrate
from letgo_gateway.database.types import new_id
from letgo_gateway.database.work import Database
from letgo_gateway.identity.passwords import Passwords
from letgo_gateway.identity.permissions import ROLES
from letgo_gateway.identity.tables import Role, User
from letgo_gateway.keys import keys
from letgo_gateway.settings import Settings, WrongSetting


@dataclass(frozen=True, slots=True)
class Administrator:
    """Who may do everything. The password is told once, and must be changed at the first login."""

    email: str
    password: str


async def prepare(settings: Settings) -> Administrator | None:
    """Bring the database up to date. Returns the administrator if there was no user yet.

    Raises `DatabaseBusy`, `WrongSetting`.
    """
    database = Database(make_engine(settings), settings.pool_waiting, settings.pool_timeout)
    try:
        async with database.reached("migrate"):
            await migrate(database.engine)
        if await database.write(complete, keys(settings).fingerprint):
            return None
        password = secrets.token_urlsafe(12)
        hashed = await Passwords(settings.argon2_memory).hash(password)
        first = await database.write(add_administrator, settings.admin_email.lower(), hashed)
        return Administrator(settings.admin_email.lower(), password) if first else None
    finally:
        await database.close()


async def complete(db: AsyncSession, fingerprint: str) -> bool:
    """Add the topics and the roles that are missing. Returns whether there are users.

    Raises `WrongSetting` if the database belongs to another secret key: nobody could use what is sealed in it.
    """
    known_key = await db.scalar(select(Installation.value).where(Installation.name == "key"))
    if known_key is None:
        db.add(Installation(name="key", value=fingerprint))
    elif known_key != fingerprint:
        raise WrongSetting("GATEWAY_SECRET_KEY: another one than this database was made with; give all hosts the same")
    topics = set(await db.scalars(select(Change.topic)))
    if missing := [{"topic": topic, "version": 0} for topic in TOPICS if topic not in topics]:
        await db.execute(insert(Change), missing)
    await db.execute(delete(Role).where(Role.builtin, Role.name.not_in(ROLES)))
    known = set(await db.scalars(select(Role.name)))
    for name, permissions in ROLES.items():
        values = {"permissions": sorted(permissions), "builtin": True}
        if name in known:
            await db.execute(update(Role).where(Role.name == name).values(values))
        else:
            await db.execute(insert(Role).values(id=new_id(), name=name, **values))
    return await db.scalar(select(User.id).limit(1)) is not None


async def add_administrator(db: AsyncSession, email: str, hashed: str) -> bool:
    """False if somebody was quicker."""
    if await db.scalar(select(User.id).limit(1).with_for_update()) is not None:
        return False
    db.add(User(email=email, name="Administrator", password_hash=hashed, admin=True, must_change=True))
    return True
