"""A row of a session whose rows expire with a commit: it can't be read after the release."""

from collections.abc import Iterator

from fastapi import APIRouter, Depends
from sqlalchemy.orm import Session, sessionmaker

from shop import Customer, Order, OrderOut, sync_engine

router = APIRouter()
Expiring = sessionmaker(sync_engine)


def get_expiring() -> Iterator[Session]:
    with Expiring() as db:
        yield db


def first_of(db: Session) -> Order:
    return db.query(Order).order_by(Order.id).first()


def anything(db: Session, number: int):
    return db.get_one(Order, number)


def current_order(db: Session = Depends(get_expiring)) -> Order:
    order = db.get_one(Order, 1)
    db.commit()
    return order


# The function that makes it says that it is a row: it is made into the response model.
@router.get("/first", response_model=OrderOut)
def read_first(db: Session = Depends(get_expiring)):
    order = db.get(Order, 1)
    if order is None:
        order = first_of(db)
        db.refresh(order)
        response = OrderOut.model_validate(order)
        db.commit()
        db.close()
        return response
    order = first_of(db)
    response = OrderOut.model_validate(order)
    db.commit()
    db.close()
    return response


# So does the dependency that gives it.
@router.get("/current", response_model=OrderOut)
def read_current(order: Order = Depends(current_order), db: Session = Depends(get_expiring)):
    db.refresh(order)
    response = OrderOut.model_validate(order)
    db.commit()
    db.close()
    return response


# What it is, is not said: as FastAPI would, but a person must know that it is no finished response.
@router.get("/any", response_model=OrderOut)
def read_any(db: Session = Depends(get_expiring)):
    return anything(db, 2)


# Left: nothing says what to make of the row.
@router.get("/customer")
def read_customer(db: Session = Depends(get_expiring)):
    return db.get_one(Customer, 1)
