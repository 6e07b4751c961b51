"""The server: connections, routes, quota."""

from __future__ import annotations

import asyncio
import contextlib
import hmac
import json
import time
from typing import Any

from pydantic import ValidationError

from yandexgpt_fake.behaviours import Behaviour, Script
from yandexgpt_fake.connection import Answer, Request, read_request
from yandexgpt_fake.errors import Refused, as_bytes, error_document
from yandexgpt_fake.generation import generate
from yandexgpt_fake.journal import Entry, Journal
from yandexgpt_fake.protocols import Answers, Native, OpenAi

_PROTOCOLS = {
    "/foundationModels/v1/completion": Native,
    "/v1/chat/completions": OpenAi,
    "/chat/completions": OpenAi,
}
_JSON = "application/json"
# How soon a client that has gone away is noticed.
_LOOK_SECONDS = 0.01


class FakeServer:
    """`await serve(...)` runs it; `script` and `journal` may be used from the same loop."""

    def __init__(
        self, quota: int = 10, api_key: str | None = None, default: Behaviour | None = None
    ) -> None:
        self.journal = Journal()
        self._default = default or Behaviour()
        self.script = Script(default=self._default)
        self._quota = quota
        self._api_key = api_key

    async def serve(self, host: str, port: int) -> asyncio.Server:
        """A server that accepts connections; port 0 takes a free one."""
        return await asyncio.start_server(self._connected, host, port, backlog=1024)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while (request := await read_request(reader)) is not None:
                if not await self._watched(request, reader, writer):
                    break
        except ConnectionError:
            pass
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, TimeoutError):
                await writer.wait_closed()

    async def _watched(
        self, request: Request, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        """Answer one request unless the client goes away meanwhile; whether it is still there."""
        answering = asyncio.create_task(self._route(request, Answer(writer)))
        leaving = asyncio.create_task(_gone(reader, writer))
        await asyncio.wait({answering, leaving}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answering, leaving):
            task.cancel()
        answered, _ = await asyncio.gather(answering, leaving, return_exceptions=True)
        if isinstance(answered, Exception) and not isinstance(answered, ConnectionError):
            raise answered
        return answered is None and not writer.is_closing()

    async def _route(self, request: Request, answer: Answer) -> None:
        if request.path.startswith("/_control/"):
            status, document = self._control(request)
            await answer.whole(status, _JSON, as_bytes(document))
        elif request.path == "/health":
            await answer.whole(200, _JSON, b'{"status":"ok"}')
        elif request.method == "POST" and request.path in _PROTOCOLS:
            await self._completion(request, answer)
        else:
            await answer.whole(404, _JSON, as_bytes(error_document(404)))

    async def _completion(self, request: Request, answer: Answer) -> None:
        entry = Entry(request.path, _shown(request.headers), _parsed(request.body))
        self.journal.entries.append(entry)
        entry.outcome = "client_gone"
        try:
            try:
                answers = self._admitted(request, entry)
            except Refused as refusal:
                entry.status, entry.outcome = refusal.status, "failed"
                document = error_document(refusal.status, refusal.message, self._quota)
                await answer.whole(refusal.status, _JSON, as_bytes(document))
                return
            await self._generation(entry, answers, answer)
        finally:
            entry.ended_at = time.time()

    async def _generation(self, entry: Entry, answers: Answers, answer: Answer) -> None:
        behaviour = self.script.take()
        entry.behaviour = behaviour.kind
        self.journal.begin(entry)
        running = True

        def over() -> None:
            nonlocal running
            if running:
                running = False
                self.journal.end()

        try:
            entry.status = await generate(behaviour, answers, answer, over)
            entry.outcome = "answered" if entry.status == 200 else "failed"
        finally:
            over()

    def _admitted(self, request: Request, entry: Entry) -> Answers:
        """Raises Refused: authentication, then the request, then the quota."""
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        right = scheme in ("Api-Key", "Bearer") and secret
        if self._api_key is not None:
            right = right and hmac.compare_digest(secret, self._api_key)
        if not right:
            raise Refused(401)
        if not isinstance(entry.body, dict):
            raise Refused(400, "the body is no JSON object")
        answers: Answers = _PROTOCOLS[request.path](request.headers, entry.body)
        if self.journal.running >= self._quota:
            self.journal.turned_away += 1
            raise Refused(429)
        return answers

    def _control(self, request: Request) -> tuple[int, dict[str, Any]]:
        match request.method, request.path.removeprefix("/_control/"):
            case "POST", "script":
                try:
                    # Without a default of its own it is the one the program was started with.
                    given = {"default": self._default.model_dump(), **json.loads(request.body)}
                    self.script = Script.model_validate(given)
                except (ValidationError, ValueError, TypeError) as error:
                    return 422, {"error": str(error)}
                return 200, self.script.model_dump()
            case "GET", "script":
                return 200, self.script.model_dump()
            case "GET", "journal":
                return 200, self.journal.as_json()
            case "POST", "reset":
                self.script = Script(default=self._default)
                self.journal.clear()
                return 200, {}
        return 404, {"error": "no such route"}


async def _gone(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Until the client has closed. Looked at and not read: its next request may be there."""
    while not reader.at_eof() and not writer.is_closing():
        await asyncio.sleep(_LOOK_SECONDS)


def _shown(headers: dict[str, str]) -> dict[str, str]:
    """Whoever reads the journal needs no key."""
    scheme = headers.get("authorization", "").partition(" ")[0]
    return {**headers, "authorization": f"{scheme} ***"} if scheme else headers


def _parsed(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None
