"""The baseline of ``bench/ingest.py``: a bare Litestar endpoint that decodes the same body and answers."""

import os
from typing import Any

import msgspec
import uvicorn
from litestar import Litestar, get, post


class Event(msgspec.Struct):
    """The same body that Nhịp takes."""

    specversion: str
    id: str
    source: str
    type: str
    subject: str
    time: str
    data: dict[str, Any]


@get("/")
async def alive() -> str:
    """For the bench to know that it is up."""
    return "up"


@post("/v1/events", status_code=202)
async def take(data: Event) -> dict[str, Any]:
    """Decode and answer, nothing else."""
    return {"accepted": 1, "duplicates": 0, "events": [{"id": data.id, "duplicate": False, "runs": []}]}


@post("/v1/batches", status_code=202)
async def take_many(data: list[Event]) -> dict[str, Any]:
    """Decode a batch and answer."""
    return {"accepted": len(data), "duplicates": 0, "events": [{"id": one.id} for one in data]}


app = Litestar([alive, take, take_many], openapi_config=None)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
