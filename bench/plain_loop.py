"""The loop that the old monolith had: one event, one encode, one upsert, one acknowledgement."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any
from uuid import uuid4

import pymongo
import qdrant_client
import redis
from qdrant_client import models
from sentence_transformers import SentenceTransformer

from explanation_service.settings import Settings

_GROUP = "plain"


class PlainLoop:
    """Each text is a document of its own; the clients are the synchronous ones."""

    def __init__(self, settings: Settings, model: SentenceTransformer) -> None:
        self._model = model
        self._redis: Any = redis.Redis.from_url(settings.redis_url, decode_responses=True)
        self._mongodb: Any = pymongo.MongoClient(settings.mongodb_uri)
        self._documents = self._mongodb[settings.mongodb_db]["plain_loop"]
        self._qdrant = qdrant_client.QdrantClient(url=settings.qdrant_url)

    def run(self, texts: Sequence[str]) -> float:
        """Seconds from the first event to the last acknowledgement."""
        name = f"plain_{uuid4().hex[:8]}"
        dimension = len(self._model.encode(texts[0]))
        vectors = models.VectorParams(size=dimension, distance=models.Distance.COSINE)
        self._qdrant.create_collection(name, vectors_config=vectors)
        ids = [uuid4().hex for _ in texts]
        rows = [{"_id": one, "text": text} for one, text in zip(ids, texts, strict=True)]
        self._documents.insert_many(rows)
        self._redis.xgroup_create(name, _GROUP, mkstream=True)
        for one in ids:
            self._redis.xadd(name, {"entity_id": one})
        started = time.perf_counter()
        while self._handle_one(name):
            pass
        seconds = time.perf_counter() - started
        self._qdrant.delete_collection(name)
        self._redis.delete(name)
        return seconds

    def close(self) -> None:
        self._redis.close()
        self._mongodb.close()
        self._qdrant.close()

    def _handle_one(self, name: str) -> bool:
        answer = self._redis.xreadgroup(_GROUP, "one", {name: ">"}, count=1)
        if not answer:
            return False
        ((_, ((entry, fields),)),) = answer
        document = self._documents.find_one({"_id": fields["entity_id"]})
        vector = self._model.encode(document["text"], normalize_embeddings=True)
        point = models.PointStruct(
            id=document["_id"], vector=vector.tolist(), payload={"text": document["text"]}
        )
        self._qdrant.upsert(name, [point], wait=True)
        self._redis.xack(name, _GROUP, entry)
        return True
