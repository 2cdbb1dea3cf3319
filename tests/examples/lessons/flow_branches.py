"""A release on one branch does not help the other."""

import httpx

from shop import NewSyncSession, Order


def released_only_if_paid(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        if order.amount == 0:
            db.commit()
        httpx.post("https://partner.example/orders", json={"id": order_id})  # expect: LG201


def released_on_both(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        if order.amount == 0:
            db.commit()
        else:
            db.rollback()
        httpx.post("https://partner.example/orders", json={"id": order_id})


def waits_only_where_it_was_released(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        if order.amount == 0:
            db.commit()
            httpx.post("https://partner.example/free", json={"id": order_id})
            return
        order.state = "paid"
        db.commit()


def queries_only_on_one_branch(order_id: int, known: bool) -> None:
    with NewSyncSession() as db:
        if not known:
            db.get_one(Order, order_id)
        httpx.post("https://partner.example/orders", json={"id": order_id})  # expect: LG201


def an_early_return_leaves_before_the_wait(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get(Order, order_id)
        if order is not None:
            return
        db.rollback()
        httpx.post("https://partner.example/unknown", json={"id": order_id})


def each_branch_has_its_own_wait(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        if order.state == "new":
            httpx.post("https://partner.example/new", json={"id": order_id})  # expect: LG201
        elif order.state == "paid":
            db.commit()
            httpx.post("https://partner.example/paid", json={"id": order_id})
        else:
            httpx.post("https://partner.example/other", json={"id": order_id})  # expect: LG201


def the_shape_of_the_order_decides(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        match order.state:
            case "new":
                db.commit()
            case "paid" | "sent":
                db.rollback()
            case _:
                db.close()
        httpx.post("https://partner.example/orders", json={"id": order_id})


def one_case_forgets(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        match order.state:
            case "new":
                db.commit()
            case "paid":
                pass
            case _:
                db.rollback()
        httpx.post("https://partner.example/orders", json={"id": order_id})  # expect: LG201


def a_match_may_match_nothing(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        match order.state:
            case "new":
                db.commit()
            case "paid":
                db.commit()
        httpx.post("https://partner.example/orders", json={"id": order_id})  # expect: LG201


def only_one_side_of_an_expression_is_evaluated(order_id: int, quick: bool) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        state = order.state if quick else httpx.get("https://partner.example/state").text  # expect: LG201
        order.state = state
        db.commit()


def the_right_of_an_or_may_run(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        order.state = order.state or httpx.get("https://partner.example/state").text  # expect: LG201
        db.commit()
