"""uvicorn's HTTP protocol with what it lacks: a bound on how long headers may take to come in, and
problem documents for what is no HTTP."""

from __future__ import annotations

import asyncio
import json
import time
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from explanation_service.api.problems import MEDIA_TYPE, new_problem

# Seconds from the opening of a connection, or from the first byte of a further request, to the end
# of the headers. uvicorn would wait for ever, so a few thousand idle sockets would be an outage.
HEADERS_WITHIN = 10.0


class HttpProtocol(HttpToolsProtocol):
    """A connection on which something was refused takes no further request.

    For uvicorn's setting `http`. The body has its own bound, see RequestTimeoutMiddleware; idle
    connections between requests uvicorn closes itself."""

    headers_within = HEADERS_WITHIN
    _headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        # What still comes after an answer that closes the connection is no request any more.
        if not self.transport.is_closing():
            super().data_received(data)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._headers_due is None:
            self._expect_headers()

    def on_headers_complete(self) -> None:
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        # What answers within a time counts from here, however long a crowd keeps it from its turn.
        self.scope["state"]["received"] = time.monotonic()
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """What uvicorn calls for bytes that its parser refuses."""
        self._stop_waiting()
        self._refuse(400, "This is no valid HTTP request.")

    def _expect_headers(self) -> None:
        self._headers_due = self.loop.call_later(self.headers_within, self._give_up)

    def _stop_waiting(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None

    def _give_up(self) -> None:
        self._headers_due = None
        if not self.transport.is_closing():
            self._refuse(408, f"The headers did not come within {self.headers_within:g} s.")

    def _refuse(self, status: int, detail: str) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            # An earlier request of this connection waits for its answer, which comes in its turn;
            # this one would be taken for it. The connection ends after it.
            self.cycle.keep_alive = False
            return
        document: dict[str, Any] = new_problem(status, detail).model_dump(exclude_none=True)
        body = json.dumps(document).encode()
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\n"
            f"content-type: {MEDIA_TYPE}\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
