"""A coroutine runs where it is awaited, not where it is made."""

import asyncio

import httpx

from shop import NewSession, NewSyncSession, Order


async def notify(order_id: int) -> None:
    async with httpx.AsyncClient() as client:
        await client.post("https://partner.example/orders", json={"id": order_id})


async def awaited_inside(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await notify(order_id)  # expect: LG201


async def made_inside_awaited_outside(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        sending = notify(order_id)
    await sending


async def made_outside_awaited_inside(order_id: int) -> None:
    sending = notify(order_id)
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await sending  # expect: LG201


async def chosen_then_awaited(order_id: int, loud: bool) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await (notify(order_id) if loud else asyncio.sleep(0))  # expect: LG201


async def a_task_and_its_result(order_id: int) -> None:
    task = asyncio.create_task(notify(order_id))
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await task  # expect: LG201


def run_from_sync_code(order_id: int) -> None:
    from shop import NewSyncSession

    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        asyncio.run(notify(order_id))  # expect: LG201


async def several_at_once(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        first, second = await asyncio.gather(notify(1), notify(2))  # expect: LG201


async def each_with_its_own_session(order_id: int) -> None:
    async with NewSession() as db:
        (await db.get_one(Order, order_id)).state = "closed"
        await db.commit()


async def many_sessions_at_once() -> None:
    await asyncio.gather(each_with_its_own_session(1), each_with_its_own_session(2))


async def a_second_session_below(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        await each_with_its_own_session(order_id)  # expect: LG504
        await db.commit()


async def put_into_a_list_and_gathered(order_ids: list[int]) -> None:
    sendings = []
    for order_id in order_ids:
        sendings.append(notify(order_id))
    async with NewSession() as db:
        await db.get_one(Order, order_ids[0])
        await asyncio.gather(*sendings)  # expect: LG201


async def tasks_in_a_list(order_ids: list[int]) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_ids[0])
        tasks = [asyncio.create_task(notify(order_id)) for order_id in order_ids]
        await db.commit()
        await asyncio.gather(*tasks)


condition = asyncio.Condition()


async def wait_for_news() -> None:
    async with condition:
        await condition.wait()


async def a_condition_gives_its_lock_back_while_it_waits(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        async with condition:
            condition.notify_all()


def page(order_id: int) -> None:
    httpx.post("https://pager.example/pages", json={"order": order_id})


def handed_to_a_thread_that_nobody_waits_for(order_id: int) -> None:
    with NewSyncSession() as db:
        db.get_one(Order, order_id)
        asyncio.get_event_loop().run_in_executor(None, page, order_id)


async def handed_to_a_thread_and_awaited_later(order_id: int) -> None:
    async with NewSession() as db:
        await db.get_one(Order, order_id)
        paging = asyncio.get_running_loop().run_in_executor(None, page, order_id)  # expect: LG201
        await paging
