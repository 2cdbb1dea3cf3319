"""H5, H12: what is still open when the endpoint returns stays open while the answer is made."""

from fastapi import Depends, FastAPI, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse
from fastapi.templating import Jinja2Templates
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from shop import NewSession, Order, OrderOut, get_db

app = FastAPI()
templates = Jinja2Templates("templates")


@app.get("/model/{order_id}", response_model=OrderOut)
async def serialised(order_id: int, db: AsyncSession = Depends(get_db)):
    return await db.get_one(Order, order_id)  # expect: LG101


@app.get("/dict")
async def dumped_here_and_returned(db: AsyncSession = Depends(get_db)):
    orders = (await db.scalars(select(Order))).all()
    return [OrderOut.model_validate(order).model_dump() for order in orders]  # expect: LG101


@app.get("/dict/committed")
async def dumped_then_committed(db: AsyncSession = Depends(get_db)):
    orders = (await db.scalars(select(Order))).all()
    dumped = [OrderOut.model_validate(order).model_dump() for order in orders]
    await db.commit()
    return dumped


@app.get("/own")
async def a_session_of_its_own():
    async with NewSession() as db:
        return (await db.scalars(select(Order.id))).all()


@app.get("/branches/{order_id}")
async def each_branch_returns_something_else(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get(Order, order_id)
    if order is None:
        return RedirectResponse("/orders")  # expect: LG103
    if order.state == "closed":
        return JSONResponse({"state": "closed"})  # expect: LG103
    if order.amount == 0:
        return PlainTextResponse("free")  # expect: LG103
    if order.state == "new":
        await db.commit()
        return RedirectResponse("/new")
    return {"state": order.state}  # expect: LG101


@app.get("/page")
async def rendered(request: Request, db: AsyncSession = Depends(get_db)):
    orders = (await db.scalars(select(Order))).all()
    return templates.TemplateResponse(request, "orders.html", {"orders": orders})  # expect: LG102


@app.get("/page/committed")
async def rendered_after_commit(request: Request, db: AsyncSession = Depends(get_db)):
    orders = (await db.scalars(select(Order))).all()
    await db.commit()
    return templates.TemplateResponse(request, "orders.html", {"orders": orders})


@app.get("/pages")
async def rendered_on_branches(request: Request, number: int, db: AsyncSession = Depends(get_db)):
    order = await db.get(Order, number)
    if order is None:
        return templates.TemplateResponse(request, "none.html")  # expect: LG102
    await db.commit()
    return templates.TemplateResponse(request, "one.html", {"order": order})


@app.get("/html", response_class=HTMLResponse)
async def rendered_by_hand(db: AsyncSession = Depends(get_db)):
    orders = (await db.scalars(select(Order))).all()
    return templates.get_template("orders.html").render(orders=orders)  # expect: LG102


@app.get("/unqueried")
async def never_begun(number: int, db: AsyncSession = Depends(get_db)):
    if number < 0:
        return {"error": "no such order"}
    order = await db.get_one(Order, number)
    await db.commit()
    return order.state


@app.delete("/none", status_code=204)
async def nothing_is_returned(number: int, db: AsyncSession = Depends(get_db)):
    await db.delete(await db.get_one(Order, number))
    await db.commit()


@app.get("/declared/{order_id}")
async def declared_as_a_response(order_id: int, request: Request, db: AsyncSession = Depends(get_db)) -> Response:
    order = await db.get_one(Order, order_id)
    return request.app.extra["answer"](order.state)  # expect: LG103


class Redirected(RedirectResponse):
    def __init__(self, order: Order) -> None:
        super().__init__(f"/orders/{order.id}")


@app.get("/redirected/{order_id}")
async def a_response_of_ones_own(order_id: int, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    return Redirected(order)  # expect: LG103


@app.get("/found/{order_id}")
async def a_template_of_the_state(order_id: int, request: Request, db: AsyncSession = Depends(get_db)):
    order = await db.get_one(Order, order_id)
    return request.app.state.templates.TemplateResponse(request, "one.html", {"order": order})  # expect: LG102
