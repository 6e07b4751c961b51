"""Reading from Qdrant over its REST interface, with nothing but an HTTP client.

qdrant-client brings numpy, grpc and protobuf into the process: 50 MB of memory and half the time of
a start, for a program that only asks. Who writes uses it (`stores.qdrant`). The requests go to
httpx's transport: what its client does before that (cookies, redirections, merging of addresses) is
of no use here and was a quarter of a request's time.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import httpx
from pydantic_core import from_json, to_json

from explanation_service.settings import Settings, SettingsError
from explanation_service.stores.errors import (
    CollectionMissing,
    StoreError,
    StoreRejected,
    StoreUnavailable,
    one_line,
)

# Seconds: a search serves somebody who waits.
SEARCH_TIMEOUT = 2
DEFAULT_PORT = 6333
# Seconds that a connection may lie idle. Qdrant closes it after 5: a request must not meet that.
_KEEP_ALIVE = 3.0
# Requests under way; further ones wait here. Whenever a request begins or ends, httpcore looks at
# all connections and all that wait for one: with 200 at a time that was half of the API's work.
# Qdrant answers in 1 to 20 ms, so this many are more than one process can make use of.
MOST_AT_A_TIME = 16
# Refusals that concern this very request; everything else is the server's state.
_REJECTED = {400, 409, 413, 422}

# httpcore asks for sniffio several times a request. Where there is none, each time is a walk along
# sys.path: 27 us in a virtual environment, 300 us with a path for each package, as Bazel has it.
if find_spec("sniffio") is None:
    sys.modules["sniffio"] = None  # type: ignore[assignment]


class QdrantRest:
    """Requests that read. Each raises StoreUnavailable when Qdrant does not answer within 2 s or
    cannot serve, CollectionMissing where it knows no such collection (`asked`, a name or an alias),
    and StoreRejected when it refuses the request."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport,
        base: httpx.URL,
        headers: httpx.Headers | None = None,
    ) -> None:
        self._transport = transport
        self._base = str(base).rstrip("/")
        self._headers = headers
        self._turns = asyncio.Semaphore(MOST_AT_A_TIME)

    async def get(self, path: str, asked: str) -> Any:
        """The result of a GET."""
        return await self._result("GET", path, None, asked)

    async def post(
        self, path: str, body: dict[str, Any], asked: str, seconds: float = SEARCH_TIMEOUT
    ) -> Any:
        """The result of a POST with `body` as JSON, within `seconds`."""
        return await self._result("POST", path, to_json(body), asked, seconds)

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.aclose()

    async def _result(
        self,
        method: str,
        path: str,
        body: bytes | None,
        asked: str,
        seconds: float = SEARCH_TIMEOUT,
    ) -> Any:
        request = httpx.Request(method, self._base + path, headers=self._headers, content=body)
        try:
            # One clock runs over the whole request; the transport has none of its own.
            async with asyncio.timeout(seconds), self._turns:
                answer = await self._transport.handle_async_request(request)
                await answer.aread()
        except TimeoutError as error:
            raise StoreUnavailable("qdrant", "no answer in time") from error
        except (httpx.HTTPError, OSError) as error:
            detail = f"{type(error).__name__}: {one_line(error)}"
            raise StoreUnavailable("qdrant", detail) from error
        if answer.status_code != 200:
            raise refusal(answer.status_code, _reason(answer), asked)
        with reading_answer():
            return from_json(answer.content)["result"]


def connect_qdrant_rest(settings: Settings) -> QdrantRest:
    """A connection that is made on first use; raises SettingsError for an address that cannot be
    read."""
    key = settings.qdrant_api_key
    # No compression: it costs both sides more than the network between them.
    headers = httpx.Headers({"accept-encoding": "identity", "content-type": "application/json"})
    if key is not None:
        headers["api-key"] = key.get_secret_value()
    try:
        base = _base_url(settings.qdrant_url)
        transport = httpx.AsyncHTTPTransport(
            limits=httpx.Limits(keepalive_expiry=_KEEP_ALIVE),
            # Reading the certificates takes 20 ms, which plain HTTP has no use for.
            verify=base.scheme == "https",
            proxy=_proxy_for(base),
        )
        return QdrantRest(transport, base, headers)
    except (ValueError, httpx.InvalidURL):
        pass
    # Outside of the except clause, so that no traceback shows the address, which may hold a secret.
    raise SettingsError("QDRANT_URL must be an address such as http://host:6333.")


def refusal(status: int, detail: str, collection: str) -> StoreError:
    """What an answer other than 200 means."""
    if status == 404:
        return CollectionMissing(collection)
    if status in _REJECTED:
        return StoreRejected("qdrant", detail)
    return StoreUnavailable("qdrant", detail)


@contextmanager
def reading_answer() -> Iterator[None]:
    """Around code that takes an answer apart: what it trips over is an answer of another shape."""
    try:
        yield
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise not_qdrants() from error


def not_qdrants() -> StoreUnavailable:
    """Something answers there that is not Qdrant, or of a version that is not known here."""
    return StoreUnavailable("qdrant", "the answer is none of Qdrant's")


def _base_url(url: str) -> httpx.URL:
    """As qdrant-client reads it: 6333 where no port is named, the path kept, a user left out."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2].rstrip(":")
    if parts.port is None:
        host = f"{host}:{DEFAULT_PORT}"
    return httpx.URL(f"{parts.scheme}://{host}{parts.path}")


def _proxy_for(base: httpx.URL) -> str | None:
    """That of the environment, which a client, such as Qdrant's own, goes through."""
    if proxy_bypass(base.host):
        return None
    proxies = getproxies()
    address = proxies.get(base.scheme) or proxies.get("all")
    return f"http://{address}" if address and "://" not in address else address


def _reason(answer: httpx.Response) -> str:
    """Qdrant's own words in one line, with the status before them."""
    try:
        said = str(from_json(answer.content)["status"]["error"])
    except (ValueError, KeyError, TypeError):
        said = answer.reason_phrase
    return one_line(ValueError(f"{answer.status_code} {said}"))
