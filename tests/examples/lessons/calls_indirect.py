"""A wait is found however it is reached: methods, properties, partials, lambdas, retries, recursion, inheritance."""

import functools
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Protocol

import httpx

from shop import NewSyncSession, Order


def notify(order_id: int) -> None:
    httpx.post("https://partner.example/orders", json={"id": order_id})


class Client:
    url = "https://partner.example"

    def __init__(self) -> None:
        self._http = httpx.Client()

    def send(self, order_id: int) -> None:
        self._http.post(self.url, json={"id": order_id})

    @classmethod
    def send_all(cls) -> None:
        cls().send(1)

    @staticmethod
    def ping() -> None:
        notify(0)

    @property
    def state(self) -> str:
        return self._http.get(self.url).text

    @functools.cached_property
    def version(self) -> str:
        return self._http.get(self.url).text


client = Client()


def a_method(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        client.send(order_id)  # expect: LG201


def a_class_method(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        Client.send_all()  # expect: LG201


def a_static_method(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        Client.ping()  # expect: LG201


def a_property(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        order.state = client.state  # expect: LG201, LG505


def a_cached_property(order_id: int) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        order.state = client.version  # expect: LG201, LG505


def a_partial(order_id: int) -> None:
    send = functools.partial(notify, order_id)
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        send()  # expect: LG201


def a_lambda(order_id: int) -> None:
    send = lambda: notify(order_id)
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        send()  # expect: LG201


def a_bound_method_in_a_variable(order_id: int) -> None:
    send = client.send
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        send(order_id)  # expect: LG201


def retry(action: Callable[[], object], attempts: int = 3) -> object:
    for _ in range(attempts):
        try:
            return action()
        except OSError:
            continue
    return None


def a_retried_lambda(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        retry(lambda: client.send(order_id))  # expect: LG201


def a_retried_query(order_id: int) -> None:
    with NewSyncSession() as db:
        retry(lambda: db.get_one(Order, order_id))
        notify(order_id)  # expect: LG201


def an_action_by_name(order_id: int) -> None:
    actions = {"notify": notify}
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        actions["notify"](order_id)  # expect: LG201


def tree(order_id: int, depth: int) -> None:
    if depth == 0:
        notify(order_id)
    else:
        tree(order_id, depth - 1)


def recursion(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        tree(order_id, 3)  # expect: LG201


def even(order_id: int) -> None:
    if order_id > 0:
        odd(order_id - 1)


def odd(order_id: int) -> None:
    notify(order_id)
    even(order_id - 1)


def mutual_recursion(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        even(order_id)  # expect: LG201


class Gateway(ABC):
    @abstractmethod
    def pay(self, amount: int) -> None: ...

    def pay_all(self, amounts: list[int]) -> None:
        for amount in amounts:
            self.pay(amount)


class Bank(Gateway):
    def pay(self, amount: int) -> None:
        httpx.post("https://bank.example/pay", json={"amount": amount})


def an_abstract_method(order_id: int, gateway: Gateway) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        gateway.pay(order.amount)  # expect: LG201


def a_template_method(order_id: int, gateway: Gateway) -> None:
    with NewSyncSession() as db:
        order = db.get_one(Order, order_id)
        gateway.pay_all([order.amount])  # expect: LG201


class Sends(Protocol):
    def send_it(self, order_id: int) -> None: ...


class Mail:
    def send_it(self, order_id: int) -> None:
        notify(order_id)


def a_protocol(order_id: int, sends: Sends) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        sends.send_it(order_id)  # expect: LG201


class LoudMail(Mail):
    def send_it(self, order_id: int) -> None:
        super().send_it(order_id)


def super_calls(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        LoudMail().send_it(order_id)  # expect: LG201


def timed(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


@timed
def notify_timed(order_id: int) -> None:
    notify(order_id)


def a_decorated_function(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        notify_timed(order_id)  # expect: LG201


def generated(order_id: int):
    for number in range(order_id):
        notify(number)
        yield number


def a_generator_drained(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        list(generated(order_id))  # expect: LG201


def a_generator_made_and_drained_later(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        numbers = generated(order_id)
    list(numbers)


def a_generator_looped_over(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        for _ in generated(order_id):  # expect: LG201
            pass


def mapped(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        list(map(notify, [1, 2]))  # expect: LG201
