"""One dependency, one session: whoever of a request commits first ends the transaction for all of them."""

from fastapi import Depends, FastAPI
from sqlalchemy.ext.asyncio import AsyncSession

from shop import Customer, get_db

app = FastAPI()


async def current_customer(number: int, db: AsyncSession = Depends(get_db)) -> Customer:
    return await db.get_one(Customer, number)


@app.get("/hello")
async def hello(customer: Customer = Depends(current_customer), db: AsyncSession = Depends(get_db)):
    email = customer.email
    await db.commit()
    return {"email": email}


@app.get("/hello/again")
async def does_not_commit(customer: Customer = Depends(current_customer), db: AsyncSession = Depends(get_db)):
    await db.get_one(Customer, customer.id)
    return {"email": customer.email}  # expect: LG101
