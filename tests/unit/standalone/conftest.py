"""The Qdrant front in this process, spoken to by the unmodified client over an in-memory wire."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
from qdrant_client import AsyncQdrantClient, models

from explanation_service.standalone.qdrant_server.app import create_app

COLLECTION = "rules_1"


class Front:
    """Starts and stops servers on one data directory."""

    def __init__(self, data_dir: Path, stack: AsyncExitStack) -> None:
        self.data_dir = data_dir
        self._stack = stack
        self._running: AsyncExitStack | None = None

    async def start(self, api_key: str | None = None) -> httpx.ASGITransport:
        app = create_app(self.data_dir, api_key)
        self._running = await self._stack.enter_async_context(AsyncExitStack())
        await self._running.enter_async_context(app.router.lifespan_context(app))
        return httpx.ASGITransport(app=app)

    async def connect(
        self, api_key: str | None = None, client_key: str | None = None
    ) -> AsyncQdrantClient:
        client = AsyncQdrantClient(
            url="https://qdrant.test",
            port=443,
            api_key=client_key,
            transport=await self.start(api_key),
            check_compatibility=False,
        )
        self._stack.push_async_callback(client.close)
        return client

    async def stop(self) -> None:
        assert self._running is not None
        await self._running.aclose()


@pytest.fixture
async def front(tmp_path: Path) -> AsyncIterator[Front]:
    async with AsyncExitStack() as stack:
        yield Front(tmp_path / "qdrant", stack)


@pytest.fixture
async def client(front: Front) -> AsyncQdrantClient:
    return await front.connect()


@pytest.fixture
async def rules(client: AsyncQdrantClient) -> AsyncQdrantClient:
    """A client with five points in COLLECTION: dense of 4 dimensions, sparse with IDF."""
    await client.create_collection(
        COLLECTION,
        vectors_config={"dense": models.VectorParams(size=4, distance=models.Distance.COSINE)},
        sparse_vectors_config={"lexical": models.SparseVectorParams(modifier=models.Modifier.IDF)},
    )
    for field, schema in (("topic", "keyword"), ("version", "integer"), ("text", "text")):
        await client.create_payload_index(COLLECTION, field, field_schema=schema)
    dense = [[1, 0, 0, 0], [0.9, 0.1, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]
    terms = [[7], [7, 8], [8, 9], [9], [10]]
    await client.upsert(
        COLLECTION,
        [
            models.PointStruct(
                id=number + 1,
                vector={
                    "dense": [float(x) for x in dense[number]],
                    "lexical": models.SparseVector(
                        indices=terms[number], values=[1.0] * len(terms[number])
                    ),
                },
                payload={
                    "topic": ["commas", "commas", "dashes", "dashes", "stress"][number],
                    "version": number + 1,
                    "text": f"правило номер {number + 1}",
                    "tags": ["a", "b"][: number % 3],
                    "note": None,
                    "nested": [{"x": number, "y": 1}, {"x": 9, "y": 2}],
                },
            )
            for number in range(5)
        ],
        wait=True,
    )
    return client
