"""LG1: the transaction is open while the response is made."""

from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response
from fastapi.templating import Jinja2Templates
from sqlalchemy import select

from app.database import Db
from app.models import Book
from app.schemas import BookOut

router = APIRouter(prefix="/responses")
templates = Jinja2Templates(Path(__file__).parents[1] / "templates")


@router.get("/books", response_model=list[BookOut])
async def list_books(db: Db) -> Any:
    return db.scalars(select(Book)).all()  # expect: LG101 serialise


@router.get("/page")
def shelf_page(request: Request, db: Db) -> Response:
    books = db.scalars(select(Book)).all()
    page = templates.TemplateResponse(request, "shelf.html", {"books": books})  # expect: LG102 template render
    db.commit()
    return page


@router.get("/books/{book_id}/offer")
async def offer(book_id: int, db: Db) -> Any:
    book = db.get_one(Book, book_id)
    if not book.stock:
        return RedirectResponse("/responses/books")  # expect: LG103 branch
    db.commit()
    return {"title": book.title, "price": book.price}


@router.post("/books/{book_id}/discount")
async def discount(book_id: int, db: Db) -> BookOut:
    book = db.get_one(Book, book_id)
    book.price -= 1
    db.commit()
    db.refresh(book)  # expect: LG104 committed but touched again
    return BookOut.model_validate(book)
