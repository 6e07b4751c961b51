"""HTTP to YandexGPT: bytes and lines out, one kind of exception."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any
from uuid import uuid4

import httpx

from explanation_service.explanations.yandexgpt.credentials import Credentials
from explanation_service.explanations.yandexgpt.failures import CallFailed, bad_answer
from explanation_service.explanations.yandexgpt.wire import failure_of_body
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds; a second attempt needs time as well. Reading has no limit of its own: a server that
# drips passes any, so the caller bounds the whole call.
_CONNECT_SECONDS = 1.0
# Bytes. A 32,000 token answer in Russian is about 300 kB of JSON.
_MOST_BODY = 2**20
_ERROR_BODY = 2**16


class Transport:
    """Every method raises CallFailed, and nothing else that httpx or a server can come up with."""

    def __init__(
        self,
        base_url: str,
        headers: Mapping[str, str],
        credentials: Credentials,
        client: httpx.AsyncClient | None = None,
    ) -> None:
        self._base_url = base_url.rstrip("/")
        self._credentials = credentials
        self._headers = {
            **headers,
            # Prompts are logged by default, and they hold what pupils wrote.
            "x-data-logging-enabled": "false",
            "Content-Type": "application/json",
            # Compression would hold back the lines of a stream.
            "Accept-Encoding": "identity",
        }
        self._client = client or httpx.AsyncClient(
            timeout=httpx.Timeout(None, connect=_CONNECT_SECONDS)
        )

    async def post(self, path: str, body: Mapping[str, Any]) -> bytes:
        """The body of the answer."""
        with self._translated():
            async with self._open(path, body) as response:
                return self._credentials.scrub(await _read(response, _MOST_BODY))

    async def lines(self, path: str, body: Mapping[str, Any]) -> AsyncGenerator[str]:
        """The lines of the answer as they come, empty ones left out. Close the generator."""
        with self._translated():
            async with self._open(path, body) as response:
                async for line in _lines(response):
                    try:
                        text = self._credentials.scrub(line).decode()
                    except UnicodeDecodeError:
                        raise bad_answer("a line is no UTF-8") from None
                    yield text

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    @asynccontextmanager
    async def _open(self, path: str, body: Mapping[str, Any]) -> AsyncIterator[httpx.Response]:
        # By this id Yandex's support finds a request; ours can come from outside in any form.
        request_id = str(uuid4())
        headers = {
            **self._headers,
            "Authorization": self._credentials.header(),
            "x-client-request-id": request_id,
        }
        content = json.dumps(body, ensure_ascii=False).encode()
        async with self._client.stream(
            "POST", self._base_url + path, content=content, headers=headers
        ) as response:
            if response.status_code != 200:
                answer = self._credentials.scrub(await _read(response, _ERROR_BODY))
                failure = failure_of_body(response.status_code, answer)
                log.info(
                    "yandexgpt answered with an error",
                    status=response.status_code,
                    detail=failure.detail,
                    client_request_id=request_id,
                )
                raise failure
            yield response

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """What httpx raises leaves as CallFailed, without its cause: an error about a header
        quotes the header."""
        try:
            yield
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            failure = CallFailed("connect", type(error).__name__, retryable=True)
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, OSError) as error:
            failure = CallFailed("broken_off", type(error).__name__)
        else:
            return
        raise failure


async def _read(response: httpx.Response, most: int) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > most:
            raise bad_answer("the body is too large")
    return bytes(body)


async def _lines(response: httpx.Response) -> AsyncIterator[bytes]:
    """Split at line feeds alone: httpx's own lines end at U+2028 too, which JSON may contain."""
    rest = bytearray()
    async for chunk in response.aiter_bytes():
        rest += chunk
        # Looked for in what is new: a line of 1 MB that comes in small pieces costs no square.
        if b"\n" in chunk:
            *whole, last = bytes(rest).split(b"\n")
            rest = bytearray(last)
            for line in whole:
                if line.strip():
                    yield line
        if len(rest) > _MOST_BODY:
            raise bad_answer("a line is too long")
    if rest.strip():
        yield bytes(rest)
