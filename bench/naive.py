"""The baseline of ``bench/deliver.py``: what one writes first. A handler inserts the event in a session of its own and
enqueues one arq job a message; the job checks the condition, posts to the provider and marks the row. Tuned as arq can
be: ``poll_delay`` 0.02, ``max_jobs`` 100.

``python -m bench.naive`` is the handler; ``python -m bench.naive worker`` the worker.
"""

import asyncio
import os
import sys
from typing import Any, cast

import httpx
import msgspec
import uvicorn
from arq import ArqRedis, Worker, create_pool, func
from arq.connections import RedisSettings
from litestar import Litestar, get, post
from sqlalchemy import JSON, String, insert, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

url = os.environ["DATABASE_URL"]
engine = create_async_engine(url, connect_args={"timeout": 60} if url.startswith("sqlite") else {})
sessions = async_sessionmaker(engine)
redis = RedisSettings.from_dsn(os.environ["REDIS_URL"])
sink = os.environ["SINK_URL"]


class Base(DeclarativeBase):
    """Declarative base."""


class StoredEvent(Base):
    """An event, and whether its message went out."""

    __tablename__ = "naive_events"
    id: Mapped[str] = mapped_column(String, primary_key=True)
    data: Mapped[dict[str, Any]] = mapped_column(JSON)
    state: Mapped[str] = mapped_column(String, default="new")


class Event(msgspec.Struct):
    """The same body that Nhịp takes."""

    id: str
    source: str
    type: str
    data: dict[str, Any]


@get("/")
async def alive() -> str:
    """For the bench to know that it is up."""
    return "up"


pool: list[ArqRedis] = []


@post("/v1/events", status_code=202)
async def take(data: Event) -> dict[str, Any]:
    """Store, enqueue, answer."""
    async with sessions() as session:
        await session.execute(insert(StoredEvent).values(id=data.id, data=data.data, state="new"))
        await session.commit()
    await pool[0].enqueue_job("send", data.id)
    return {"accepted": 1}


async def prepare() -> None:
    """Make the table and the connection."""
    async with engine.begin() as connection:
        if url.startswith("sqlite"):
            await connection.exec_driver_sql("PRAGMA journal_mode=WAL")
        await connection.run_sync(Base.metadata.create_all)
    pool.append(await create_pool(redis))


async def send(context: dict[str, Any], event_id: str) -> None:
    """Load, check, post, mark."""
    async with sessions() as session:
        event = (await session.execute(select(StoredEvent).where(StoredEvent.id == event_id))).scalar_one()
        if event.data["order"]["status"] != "delivered" or event.data["order"]["total"]["amount"] < 1000:
            return
        payload = {
            "phone": event.data["contact"]["phone"],
            "template_id": "405463",
            "template_data": {"order_code": event.data["order"]["external_id"]},
            "tracking_id": event_id,
        }
        response = await context["http"].post(sink, json=payload)
        if response.json()["error"] == 0:
            await session.execute(update(StoredEvent).where(StoredEvent.id == event_id).values(state="sent"))
            await session.commit()


async def work() -> None:
    """The arq worker."""
    async with httpx.AsyncClient() as http:
        worker = Worker(
            functions=[func(cast(Any, send), name="send", keep_result=0)],
            redis_settings=redis,
            poll_delay=0.02,
            max_jobs=100,
            ctx={"http": http},
        )
        await worker.async_run()


if __name__ == "__main__":
    if "worker" in sys.argv:
        asyncio.run(work())
    else:
        app = Litestar([alive, take], on_startup=[prepare], openapi_config=None)
        uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
