"""The baseline of ``bench/voice.py``: a bare Litestar endpoint that reads the same form and answers as many bytes."""

import os
from typing import Any

import uvicorn
from litestar import Litestar, Request, Response, get, post

ANSWER = b"<Response>" + b" " * 400 + b"</Response>"


@get("/")
async def alive() -> str:
    """For the bench to know that it is up."""
    return "up"


@post("/voice/{name:str}/{token:str}/answer", status_code=200)
async def answer(request: Request[Any, Any, Any]) -> Response[bytes]:
    """Read and answer, nothing else."""
    await request.form()
    return Response(ANSWER, media_type="text/xml")


app = Litestar([alive, answer], openapi_config=None)

if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(os.environ["PORT"]), log_level="warning", access_log=False)
