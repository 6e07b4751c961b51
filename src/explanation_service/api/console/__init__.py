"""GET /: the console, one HTML page without any asset from outside."""

from __future__ import annotations

from functools import cache
from importlib import resources

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

router = APIRouter(include_in_schema=False)

# The page holds its own script and style and speaks to its own origin alone.
_POLICY = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
    "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-cache",
}


@router.get("/", response_class=HTMLResponse)
async def read_console() -> HTMLResponse:
    return HTMLResponse(_page(), headers=_HEADERS)


@cache
def _page() -> str:
    return resources.files(__package__).joinpath("index.html").read_text(encoding="utf-8")
