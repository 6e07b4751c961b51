"""A FastAPI route that returns a constant, served as the API is: what the framework itself takes.

python -m bench.constant_route PORT
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel

app = FastAPI()


class Constant(BaseModel):
    """An answer."""

    hits: list[str] = []


@app.post("/constant")
async def constant() -> Constant:
    return Constant()


if __name__ == "__main__":
    uvicorn.run(
        app,
        host="127.0.0.1",
        port=int(sys.argv[1]),
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
    )
