"""FastAPI Users: `current_user()` reads the user through the session that the user manager's database was given."""

import uuid
from collections.abc import AsyncIterator

import httpx
from fastapi import Depends, FastAPI
from fastapi.responses import StreamingResponse
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, JWTStrategy
from fastapi_users.db import BaseUserDatabase, SQLAlchemyUserDatabase
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, get_db

app = FastAPI()


class CustomersInMemory(BaseUserDatabase[Customer, uuid.UUID]):
    pass


class UserManager(UUIDIDMixin, BaseUserManager[Customer, uuid.UUID]):
    reset_password_token_secret = "secret"


async def get_user_db(session: AsyncSession = Depends(get_db)) -> AsyncIterator[SQLAlchemyUserDatabase]:
    yield SQLAlchemyUserDatabase(session, Customer)


async def get_user_manager(user_db: SQLAlchemyUserDatabase = Depends(get_user_db)) -> AsyncIterator[UserManager]:
    yield UserManager(user_db)


backend = AuthenticationBackend("jwt", BearerTransport("login"), lambda: JWTStrategy("secret", 3600))
users = FastAPIUsers[Customer, uuid.UUID](get_user_manager, [backend])
current_customer = users.current_user(active=True)  # expect: LG301


async def get_manager_without_a_database() -> AsyncIterator[UserManager]:
    yield UserManager(CustomersInMemory())


kept_aside = FastAPIUsers[Customer, uuid.UUID](get_manager_without_a_database, [backend])


@app.get("/news")
async def news(customer: Customer = Depends(current_customer)):
    return StreamingResponse(iter(["hello"]))


@app.get("/news/aside")
async def news_without_a_session_of_the_database(customer: Customer = Depends(kept_aside.current_user())):
    return StreamingResponse(iter(["hello"]))


@app.get("/partner")
async def asks_the_partner(customer: Customer = Depends(current_customer), db: AsyncSession = Depends(get_db)):
    async with httpx.AsyncClient() as client:
        answer = await client.get("https://partner.example/state")  # expect: LG201
    await db.commit()
    return answer.json()


@app.get("/partner/released")
async def lets_go_of_the_same_session(
    customer: Customer = Depends(current_customer), db: AsyncSession = Depends(get_db)
):
    await db.commit()
    async with httpx.AsyncClient() as client:
        answer = await client.get("https://partner.example/state")
    return answer.json()
