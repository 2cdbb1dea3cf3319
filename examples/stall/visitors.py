"""Who asks for items in `letgo prove`."""

from letgo.prove import User, Visit, get


class Visitor(User):
    def visit(self) -> Visit:
        yield get("/items/1", name="/items/{item_id}")
