"""An index of any size without a model: texts of the sample rule book, vectors drawn at random."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from explanation_service.content.importer import read_jsonl
from explanation_service.content.sample import sample_rule_book_path
from explanation_service.retrieval.lexical import encode_document, encode_query
from explanation_service.retrieval.normalise import normalise_query
from explanation_service.settings import Settings
from explanation_service.stores.embedding_channel import QueryEmbeddingClient
from explanation_service.stores.records import EmbeddingModelInfo, PassagePoint, SparseVector
from explanation_service.stores.redis import close, connect_redis
from explanation_service.stores.vector_index import connect_vector_index

MODEL = EmbeddingModelInfo("drawn-at-random", "random1", 384, 512)
_BATCH = 500


@dataclass(frozen=True)
class Query:
    """A question with its vectors."""

    text: str
    dense: list[float]
    lexical: SparseVector


def _words() -> list[str]:
    return [word for _, draft in read_jsonl(sample_rule_book_path()) for word in draft.body.split()]


def _unit_vector(draw: random.Random) -> list[float]:
    vector = [draw.gauss(0, 1) for _ in range(MODEL.dimension)]
    norm = sum(component * component for component in vector) ** 0.5
    return [component / norm for component in vector]


def make_passages(count: int, draw: random.Random) -> Iterator[PassagePoint]:
    """Texts of 20 to 110 words, each another one."""
    words = _words()
    for number in range(count):
        length = draw.randint(20, 110)
        start = draw.randrange(len(words) - length)
        title, text = f"Правило {number}", " ".join(words[start : start + length])
        lexical = encode_document(title, text)
        dense = _unit_vector(draw)
        yield PassagePoint(
            f"t{number}", 0, 1, 1, "h", title, text, None, "ege", ("a",), dense, lexical
        )


def make_queries(count: int, draw: random.Random) -> list[Query]:
    """Four words of the rule book and a number, so that each is another one."""
    words = _words()
    texts = [f"{' '.join(draw.sample(words, 4))} {number}" for number in range(count)]
    return [Query(text, _unit_vector(draw), encode_query(text)) for text in texts]


async def fill(settings: Settings, count: int, queries: Sequence[Query]) -> None:
    """Passages into Qdrant, the queries' vectors into Redis."""
    index = connect_vector_index(settings)
    await index.ensure_collection(MODEL)
    batch: list[PassagePoint] = []
    for passage in make_passages(count, random.Random(1)):
        batch.append(passage)
        if len(batch) == _BATCH:
            await index.upsert(batch)
            batch = []
    await index.upsert(batch)
    await index.close()
    redis = connect_redis(settings)
    cache = QueryEmbeddingClient(redis, redis)
    for query in queries:
        await cache.put_cached(MODEL.revision, normalise_query(query.text), query.dense)
    await close(redis)
