"""GET /: the console, a page of a few files that asks for nothing outside its own origin."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.exceptions import HTTPException
from starlette.responses import Response

router = APIRouter(include_in_schema=False)

_PAGE = "index.html"
_MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
# No script or style within the page, so nothing that gets into it can be one.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    # Kept by browsers, but asked about each time: the files belong to one version of the service.
    "Cache-Control": "no-cache",
}


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    media_type: str
    etag: str


IfNoneMatch = Annotated[str | None, Header()]


@router.get("/")
async def read_console(if_none_match: IfNoneMatch = None) -> Response:
    return _answer(_PAGE, if_none_match)


@router.get("/console/{name}")
async def read_console_file(name: str, if_none_match: IfNoneMatch = None) -> Response:
    return _answer(name, if_none_match)


def _answer(name: str, if_none_match: str | None) -> Response:
    asset = _assets().get(name)
    if asset is None:
        raise HTTPException(404)
    headers = {**_HEADERS, "ETag": asset.etag}
    if if_none_match == asset.etag:
        return Response(status_code=304, headers=headers)
    return Response(asset.content, media_type=asset.media_type, headers=headers)


@cache
def _assets() -> dict[str, _Asset]:
    """What the console consists of, by name: the files of this folder that browsers take."""
    assets = {}
    for file in resources.files(__package__).iterdir():
        media_type = _MEDIA_TYPES.get(file.name.rpartition(".")[2])
        if media_type is not None:
            content = file.read_bytes()
            etag = f'"{hashlib.sha256(content).hexdigest()[:16]}"'
            assets[file.name] = _Asset(content, media_type, etag)
    return assets
