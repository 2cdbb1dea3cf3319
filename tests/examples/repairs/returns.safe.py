"""The response is built, then the session is let go, then the response is returned: on every path."""

from fastapi import APIRouter, Depends, HTTPException
from fastapi.responses import JSONResponse, RedirectResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import Customer, NewSession, Order, OrderOut, get_db, get_sync_db

router = APIRouter()


# A row would be read when FastAPI makes the response model of it: that is done before the release.
@router.get("/orders/{order_id}", response_model=OrderOut)
async def read_order(order_id: int, db: AsyncSession = Depends(get_db)):
    response = OrderOut.model_validate(await db.get_one(Order, order_id))
    await db.commit()
    await db.close()
    return response


# So are several rows.
@router.get("/orders")
def list_orders(db: Session = Depends(get_sync_db)) -> list[OrderOut]:
    orders = db.scalars(select(Order).order_by(Order.id)).all()
    response = [OrderOut.model_validate(row) for row in orders]  # newest last
    db.commit()
    db.close()
    return response


# Every way out lets go; the exception keeps its own way, since the dependency closes the session then.
@router.get("/orders/{order_id}/state")
def state_of(order_id: int, db: Session = Depends(get_sync_db)):
    order = db.get(Order, order_id)
    if order is None:
        raise HTTPException(404)
    if order.state == "lost":
        response = RedirectResponse("/lost")
        db.commit()
        db.close()
        return response
    if order.amount > 100:
        response = {
            "state": order.state,  # the large ones are told in full
            "amount": order.amount,
        }
        db.commit()
        db.close()
        return response
    state = order.state
    db.commit()
    db.close()
    return state


# After an exception it is rolled back, as the dependency would.
@router.post("/orders/{order_id}/check")
async def check_order(order_id: int, db: AsyncSession = Depends(get_db)):
    try:
        order = await db.get_one(Order, order_id)
        response = {"ok": order.amount > 0}
        await db.commit()
        await db.close()
        return response
    except LookupError as error:
        response = JSONResponse({"error": str(error)}, 404)
        await db.rollback()
        await db.close()
        return response


# A function that just ends lets go at its end.
@router.put("/orders/{order_id}/touch", status_code=204)
def touch(order_id: int, db: Session = Depends(get_sync_db)):
    order = db.get(Order, order_id)
    if order is not None:
        print(order.amount)
    db.commit()
    db.close()


# What is returned may be a row with a lazy relationship: it is committed, which gives the connection back, but the
# session stays, so that nothing that could be read before can't be read now.
@router.get("/customers/{customer_id}")
def read_customer(customer_id: int, db: Session = Depends(get_sync_db)):
    response = db.get_one(Customer, customer_id)
    db.commit()
    return response


# Left: another function calls this one and goes on with its own session.
@router.get("/first")
def first_order(db: Session = Depends(get_sync_db)):
    return {"id": db.scalars(select(Order.id)).first()}


@router.get("/second")
def second_order(db: Session = Depends(get_sync_db)):
    found = first_order(db)
    other = db.scalars(select(Order.id).where(Order.id > found["id"])).first()
    db.commit()
    return {"id": other}


# Left: the session is bound anew, so it is not always the one that was injected.
@router.get("/third")
async def third_order(db: AsyncSession = Depends(get_db)):
    order = await db.get(Order, 3)
    if order is None:
        db = NewSession()
    return {"id": order and order.id}


# Left: `begin()` ends the transaction itself, and a commit inside of it is an error.
@router.get("/fourth")
def fourth_order(db: Session = Depends(get_sync_db)):
    with db.begin():
        order = db.get_one(Order, 4)
    return {"id": order.id}
