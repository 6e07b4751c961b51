"""The Qdrant front as a process: the unmodified client over HTTP, and kill -9."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from qdrant_client import AsyncQdrantClient, models

from explanation_service.standalone import embedded_stores, ports
from explanation_service.standalone.process import Process
from explanation_service.standalone.program import python_environment

pytest.importorskip("qdrant_edge")
COLLECTION = "rules"
DIMENSION = 16


class Server:
    """Starts the front again and again on one port and one data directory."""

    def __init__(self, folder: Path) -> None:
        self.port = ports.free_ports(1)[0]
        self.program = embedded_stores.qdrant_program(
            self.port, folder, folder.parent / "qdrant.log", python_environment()
        )
        self.process: Process | None = None

    async def start(self) -> None:
        self.process = Process(self.program)
        ready = await asyncio.to_thread(self.process.wait_until_ready, 60)
        assert ready, self.program.log.read_text()

    def kill(self) -> None:
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGKILL)
        self.process.kill_group()


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    folder = tmp_path / "qdrant"
    folder.mkdir()
    running = Server(folder)
    await running.start()
    yield running
    assert running.process is not None
    running.process.stop()


@pytest.fixture
async def client(server: Server) -> AsyncIterator[AsyncQdrantClient]:
    connected = AsyncQdrantClient(url=f"http://127.0.0.1:{server.port}", timeout=10)
    await connected.create_collection(
        COLLECTION,
        vectors_config={
            "dense": models.VectorParams(size=DIMENSION, distance=models.Distance.COSINE)
        },
    )
    await connected.create_payload_index(COLLECTION, "group", models.PayloadSchemaType.KEYWORD)
    yield connected
    await connected.close()


def point(number: int) -> models.PointStruct:
    vector = [float(number % (axis + 2)) + 0.1 for axis in range(DIMENSION)]
    return models.PointStruct(
        id=number, vector={"dense": vector}, payload={"group": f"g{number % 3}", "n": number}
    )


async def write_until_the_connection_breaks(
    client: AsyncQdrantClient, numbers: list[int], acknowledged: set[int]
) -> None:
    try:
        for number in numbers:
            await client.upsert(COLLECTION, [point(number)], wait=True)
            acknowledged.add(number)
    # Whatever the broken connection looks like from here.
    except Exception:
        return


async def test_acknowledged_writes_outlive_kill_9(
    server: Server, client: AsyncQdrantClient
) -> None:
    acknowledged: set[int] = set()
    alias = models.CreateAliasOperation(
        create_alias=models.CreateAlias(collection_name=COLLECTION, alias_name="alias")
    )
    await client.update_collection_aliases([alias])
    for round_number in range(3):
        before = len(acknowledged)
        first = round_number * 10_000
        writers = [
            asyncio.create_task(
                write_until_the_connection_breaks(
                    client, list(range(first + lane, first + 10_000, 4)), acknowledged
                )
            )
            for lane in range(4)
        ]
        while len(acknowledged) < before + 150:
            await asyncio.sleep(0.005)
        server.kill()
        await asyncio.gather(*writers)
        await server.start()
        found = {record.id for record in await client.retrieve("alias", sorted(acknowledged))}
        assert found == acknowledged
    # A restart finds the index too, and it agrees with the points.
    info = await client.get_collection("alias")
    assert set(info.payload_schema) == {"group"}
    group = models.FieldCondition(key="group", match=models.MatchValue(value="g1"))
    counted = (await client.count("alias", count_filter=models.Filter(must=[group]))).count
    assert counted >= len([number for number in acknowledged if number % 3 == 1])


async def test_deletes_and_payloads_outlive_kill_9(
    server: Server, client: AsyncQdrantClient
) -> None:
    await client.upsert(COLLECTION, [point(number) for number in range(10)], wait=True)
    await client.delete(COLLECTION, [1, 2, 3], wait=True)
    await client.set_payload(COLLECTION, {"n": 99}, points=[4], wait=True)
    server.kill()
    await server.start()
    records, _ = await client.scroll(COLLECTION, limit=20)
    assert {record.id: (record.payload or {})["n"] for record in records} == {
        0: 0, 4: 99, 5: 5, 6: 6, 7: 7, 8: 8, 9: 9,
    }  # fmt: skip


async def test_sigterm_ends_it_and_a_restart_goes_on(
    server: Server, client: AsyncQdrantClient
) -> None:
    await client.upsert(COLLECTION, [point(1)], wait=True)
    assert server.process is not None
    server.process.terminate()
    assert await asyncio.to_thread(server.process.wait, 5)
    # uvicorn ends in order and then raises the signal anew.
    assert server.process.exit_code in (0, -signal.SIGTERM)
    await server.start()
    assert (await client.count(COLLECTION)).count == 1


async def test_requests_at_the_same_time(server: Server, client: AsyncQdrantClient) -> None:
    await client.upsert(COLLECTION, [point(number) for number in range(200)], wait=True)
    answers = await asyncio.gather(
        *(
            client.query_points(COLLECTION, query=[1.0] * DIMENSION, using="dense", limit=5)
            for _ in range(50)
        )
    )
    assert len({tuple(hit.id for hit in answer.points) for answer in answers}) == 1
