"""The worker's clients of the three stores."""

from __future__ import annotations

from dataclasses import dataclass

from explanation_service.settings import Settings
from explanation_service.stores.embedding_channel import QueryEmbeddingServer
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import MongoStore, TemplateRepository, connect_mongodb
from explanation_service.stores.redis import RedisClient, close, connect_redis
from explanation_service.stores.vector_index import VectorIndex, connect_vector_index
from explanation_service.stores.vector_scan import VectorScan, connect_vector_scan


@dataclass(frozen=True)
class Connections:
    """Nothing connects before its first use. A reader that waits has a client of its own."""

    mongodb: MongoStore
    repository: TemplateRepository
    redis: RedisClient
    waiting: tuple[RedisClient, RedisClient]
    stream: EventStream
    waiting_stream: EventStream
    queries: QueryEmbeddingServer
    index: VectorIndex
    scan: VectorScan

    async def close(self) -> None:
        """Close all of them; never fails."""
        for client in (self.redis, *self.waiting):
            await close(client)
        await self.index.close()
        await self.scan.close()
        await self.mongodb.close()


def connect(settings: Settings) -> Connections:
    """Clients for these settings. Raises SettingsError for an address that cannot be read."""
    mongodb = connect_mongodb(settings)
    redis = connect_redis(settings)
    for_stream = connect_redis(settings, blocking=True)
    for_queries = connect_redis(settings, blocking=True)
    name, group = settings.redis_stream_name, settings.redis_stream_group
    return Connections(
        mongodb=mongodb,
        repository=TemplateRepository(mongodb),
        redis=redis,
        waiting=(for_stream, for_queries),
        stream=EventStream(redis, name, group),
        waiting_stream=EventStream(for_stream, name, group),
        queries=QueryEmbeddingServer(redis, for_queries),
        index=connect_vector_index(settings),
        scan=connect_vector_scan(settings),
    )
