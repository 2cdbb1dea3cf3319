"""A session is opened by a `with`, so that it ends on every path."""

from collections.abc import Iterator

from fastapi import APIRouter, BackgroundTasks, Depends
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from shop import NewSession, NewSyncSession, Order, get_db, get_sync_db

router = APIRouter()


# Never closed on one path.
def amount_of(order_id: int) -> int:
    db = NewSyncSession()  # a session of its own
    order = db.get(Order, order_id)
    if order is None:
        return 0
    text = f"""
    {order.state}: the lines of a string stay where they are
"""
    print(text)
    db.close()
    return order.amount


# The same, awaited.
async def state_of(order_id: int) -> str:
    db = NewSession()
    order = await db.get_one(Order, order_id)
    # a comment stays, and moves along

    await db.close()
    return order.state


# The generator of a dependency ends at once when nobody keeps it.
def ids() -> list[int]:
    db = next(get_sync_db())
    found = list(db.scalars(select(Order.id)))
    db.commit()
    return found


# Used after its `with`: that is made longer.
def total() -> int:
    with NewSyncSession() as db:
        orders = db.scalars(select(Order)).all()
    extra = db.scalar(select(Order.amount)) or 0
    return sum(order.amount for order in orders) + extra


# Read after the close: the close moves down.
@router.get("/orders/{order_id}/email")
def email_of(order_id: int, db: Session = Depends(get_sync_db)):
    order = db.get_one(Order, order_id)
    db.close()
    return {"email": order.customer.email}


# Unsafe: what was never saved is saved.
@router.post("/orders")
async def create_order(amount: int, db: AsyncSession = Depends(get_db)):
    db.add(Order(amount=amount, state="new", customer_id=1))
    return {"created": True}


# Nobody uses the session.
@router.get("/health")
async def health(verbose: bool = False, db: AsyncSession = Depends(get_db)):
    return {"ok": True, "verbose": verbose}


# Unsafe: the stream is read before it is sent.
@router.get("/export")
def export(db: Session = Depends(get_sync_db)):
    return StreamingResponse(lines(db), media_type="text/csv")


def lines(db: Session) -> Iterator[str]:
    for order in db.scalars(select(Order)):
        yield f"{order.id}\n"


# Unsafe: the task gets a session of its own.
@router.post("/orders/{order_id}/ship")
def ship(order_id: int, tasks: BackgroundTasks, db: Session = Depends(get_sync_db)):
    tasks.add_task(mark_shipped, order_id, db)
    return {"accepted": True}


def mark_shipped(order_id: int, db: Session) -> None:
    """Later."""
    db.get_one(Order, order_id).state = "shipped"
    db.commit()


# Left: the session is handed on, and whoever gets it must close it.
def opened() -> Session:
    db = next(get_sync_db())
    db.get_one(Order, 1)
    return db
