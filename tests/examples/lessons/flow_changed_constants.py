"""A constant is known as long as nobody can have changed it: by another item, an inner function, a function called."""

from collections.abc import Callable

import httpx

from shop import NewSyncSession, Order


def an_item_set(token: str) -> None:
    found = {"user": None}
    found["user"] = token.strip()
    if found["user"] is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def an_item_set_in_vain(token: str) -> None:
    found = {"user": None}
    found["other"] = token.strip()
    user = found["user"]
    if user is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")


def an_item_set_by_a_variable(token: str, key: str) -> None:
    found = {"user": None}
    found[key] = token.strip()
    user = found["user"]
    if user is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def updated(token: str) -> None:
    found = {"user": None}
    found.update(user=token)
    user = found["user"]
    if user is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def updated_with_another_dict(token: dict) -> None:
    found = {"user": None}
    found.update(token)
    user = found["user"]
    if user is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def fill(found: dict, token: str) -> None:
    found["user"] = token.strip()


def set_by_a_function_called(token: str) -> None:
    found = {"user": None}
    fill(found, token)
    user = found["user"]
    if user is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def set_by_an_inner_function(token: str) -> None:
    user = None

    def set_user() -> None:
        nonlocal user
        user = token.strip()

    set_user()
    if user is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")  # expect: LG201


def a_variable_of_the_inner_function(token: str) -> None:
    user = None

    def set_user() -> None:
        user = token.strip()
        print(user)

    set_user()
    if user is None:
        return
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        httpx.post("https://partner.example/orders")


def set_by_whoever_calls_the_inner_function(each: Callable) -> None:
    done = [False]

    def finish() -> None:
        done[0] = True

    with NewSyncSession() as db:
        db.get_one(Order, 1)
        each(finish)
        finished = done[0]
        if finished:
            httpx.post("https://partner.example/orders")  # expect: LG201


def notify() -> None:
    httpx.post("https://partner.example/orders")


def a_function_put_into_a_dict_by_update(kind: str) -> None:
    steps = {"print": print}
    steps.update({"notify": notify})
    with NewSyncSession() as db:
        db.get_one(Order, 1)
        steps[kind]()  # expect: LG201
