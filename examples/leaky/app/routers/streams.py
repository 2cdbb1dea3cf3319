"""LG3: a stream, a generator or a background task outlives the handler, and the transaction with it."""

from collections.abc import Iterator
from typing import Annotated

from fastapi import APIRouter, BackgroundTasks, Depends
from fastapi.responses import StreamingResponse
from sqlalchemy import select
from sqlalchemy.orm import Session

from app.database import Db, get_db
from app.models import Book, Order

router = APIRouter(prefix="/streams")


@router.get("/titles")
def stream_titles(db: Db) -> StreamingResponse:
    titles = db.scalars(select(Book.title)).all()
    return StreamingResponse(f"{title}\n" for title in titles)  # expect: LG301 stream started while open


@router.get("/orders")
def export_orders(db: Db) -> StreamingResponse:
    return StreamingResponse(order_lines(db))  # expect: LG302 generator keeps the session


@router.post("/orders/{order_id}/ship")
async def ship(order_id: int, db: Db, tasks: BackgroundTasks) -> dict[str, bool]:
    tasks.add_task(mark_shipped, order_id, db)  # expect: LG303 background task
    return {"accepted": True}


@router.get("/backlog")
def export_backlog(db: Annotated[Session, Depends(get_db, scope="function")]) -> StreamingResponse:
    return StreamingResponse(order_lines(db))  # expect: LG304 function scope


def order_lines(db: Session) -> Iterator[str]:
    for order in db.scalars(select(Order)):
        yield f"{order.id},{order.status}\n"


def mark_shipped(order_id: int, db: Session) -> None:
    db.get_one(Order, order_id).status = "shipped"
    db.commit()
