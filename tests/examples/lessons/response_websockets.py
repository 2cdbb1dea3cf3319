"""A WebSocket's dependencies live as long as the socket; nothing is serialised at its end."""

from fastapi import Depends, FastAPI, WebSocket
from sqlalchemy.ext.asyncio import AsyncSession

from shop import NewSession, Order, get_db

app = FastAPI()


@app.websocket("/waits")
async def waits_for_the_client(socket: WebSocket, db: AsyncSession = Depends(get_db)):
    await socket.accept()
    await db.get_one(Order, 1)
    while True:
        await socket.receive_text()  # expect: LG201


@app.websocket("/committed")
async def commits_before_it_waits(socket: WebSocket, db: AsyncSession = Depends(get_db)):
    await socket.accept()
    while True:
        number = int(await socket.receive_text())
        order = await db.get_one(Order, number)
        state = order.state
        await db.commit()
        await socket.send_text(state)


@app.websocket("/own")
async def a_session_for_each_message(socket: WebSocket):
    await socket.accept()
    while True:
        number = int(await socket.receive_text())
        async with NewSession() as db:
            state = (await db.get_one(Order, number)).state
        await socket.send_text(state)


@app.websocket("/leaves")
async def ends_with_the_socket(socket: WebSocket, db: AsyncSession = Depends(get_db)):
    await socket.accept()
    await db.get_one(Order, 1)
