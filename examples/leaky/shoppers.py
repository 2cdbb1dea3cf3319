"""Who visits the shop in `letgo prove`: the same visits before and after `letgo fix`."""

from letgo.prove import User, Visit, get, post


class Reader(User):
    """Looks around: nothing here waits for anything but the database."""

    weight = 4
    think = (0.2, 0.8)

    def visit(self) -> Visit:
        yield get("/responses/books")
        yield get("/responses/page")
        book = yield get("/stalls/books/1", name="/stalls/books/{book_id}")
        assert book.json()["title"], "a book without a title"
        yield get("/stalls/me")
        yield get("/streams/titles")


class Buyer(User):
    """Asks for what another service knows."""

    think = (0.2, 0.8)

    def visit(self) -> Visit:
        yield get("/waiting/books/1/rating", name="/waiting/books/{book_id}/rating")
        yield post("/waiting/books/1/restock", name="/waiting/books/{book_id}/restock")
        yield get("/stalls/orders/1", name="/stalls/orders/{order_id}")
        yield get("/sources/books/1/price", name="/sources/books/{book_id}/price")
