"""The fake in this process, and a client of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import httpx
import pytest

from explanation_service.explanations.yandexgpt.assembly import parameters_of
from explanation_service.explanations.yandexgpt.circuit import Circuit
from explanation_service.explanations.yandexgpt.client import YandexGpt
from explanation_service.explanations.yandexgpt.credentials import Credentials
from explanation_service.explanations.yandexgpt.native import NativeWire
from explanation_service.explanations.yandexgpt.openai import OpenAiWire
from explanation_service.explanations.yandexgpt.slots import Slots
from explanation_service.explanations.yandexgpt.transport import Transport
from explanation_service.settings import load_settings
from yandexgpt_fake.behaviours import Behaviour, Script
from yandexgpt_fake.server import FakeServer

KEY = "AQVN-very-secret-key"


class Shared:
    """GenerationSlots in memory."""

    def __init__(self, limit: int = 8) -> None:
        self.limit = limit
        self.lease_seconds = 10.0
        self.tokens: set[str] = set()
        self.lingering: list[float] = []

    async def acquire(self, token, running):
        self.tokens |= set(running)
        if token not in self.tokens and len(self.tokens) >= self.limit:
            return False
        self.tokens.add(token)
        return True

    async def renew(self, tokens):
        self.tokens |= set(tokens)

    async def release(self, token, after_seconds=0.0):
        if token in self.tokens and after_seconds:
            self.lingering.append(after_seconds)
        self.tokens.discard(token)


class World:
    """The fake, its address, and what stands around a client."""

    def __init__(self, fake: FakeServer, port: int) -> None:
        self.fake = fake
        self.url = f"http://127.0.0.1:{port}"
        self.shared = Shared()
        self.circuit = Circuit()

    def script(self, *then: dict[str, Any], **default: Any) -> None:
        self.fake.script = Script(
            then=[Behaviour(**one) for one in then], default=Behaviour(**default)
        )

    def model(self, protocol: str = "native", url: str | None = None, **settings: Any) -> YandexGpt:
        given = {"yandexgpt_api_key": KEY, "yandexgpt_folder_id": "folder", **settings}
        parsed = load_settings(**given)
        parameters = parameters_of(parsed)
        wire = NativeWire(parameters) if protocol == "native" else OpenAiWire(parameters)
        base = url or (self.url if protocol == "native" else f"{self.url}/v1")
        # Without certificates, whose loading would take most of the tests' time.
        client = httpx.AsyncClient(timeout=httpx.Timeout(None, connect=5), verify=False)
        transport = Transport(base, wire.headers, Credentials.of(parsed), client)
        return YandexGpt(parameters, wire, transport, Slots(self.shared), self.circuit)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        fake = FakeServer(api_key=KEY)
        server = await fake.serve("127.0.0.1", 0)
        stack.callback(server.close)
        yield World(fake, server.sockets[0].getsockname()[1])
        # Connections that the test left open end their tasks here.
        await asyncio.sleep(0)
