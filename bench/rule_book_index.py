"""A rule book indexed and searched by the service's own code, without MongoDB and Redis."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import cast

from bench.rank_fusion import RankFusion
from explanation_service.content.importer import read_jsonl
from explanation_service.content.template import Template
from explanation_service.indexing.backends.torch import TorchEncoder
from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.in_hand import Work
from explanation_service.indexing.model_directory import ModelSource
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.preparer import Preparer
from explanation_service.retrieval.normalise import normalise_query
from explanation_service.retrieval.query_vectors import QueryVector, QueryVectorSource
from explanation_service.retrieval.search import SearchService
from explanation_service.retrieval.served_collection import ServedCollection
from explanation_service.settings import load_settings
from explanation_service.stores.mongodb import StoredTemplate, TemplateRepository
from explanation_service.stores.qdrant import connect_qdrant
from explanation_service.stores.qdrant_rest import connect_qdrant_rest
from explanation_service.stores.vector_index import VectorIndex

# Milliseconds. The bench asks what is found, so no question may fall back to the lexical lane
# because the machine is busy; the times are printed.
_BUDGET_MS = 10_000


class _RuleBookFile:
    """Stands in for TemplateRepository: what a file holds, as if it were stored."""

    def __init__(self, path: Path) -> None:
        now = datetime.now(UTC)
        self.stored = {
            template_id: StoredTemplate(
                template_id,
                Template(**draft.model_dump(), id=template_id, version=1, updated_at=now),
                version=1,
                deleted=False,
                updated_at=now,
            )
            for template_id, draft in read_jsonl(path)
        }

    async def get_many(self, template_ids: Sequence[str]) -> dict[str, StoredTemplate]:
        return {one: self.stored[one] for one in template_ids if one in self.stored}


class _EncoderVectors(QueryVectorSource):
    """Query vectors from the encoder in this process; the API asks a worker for them."""

    def __init__(self, encoder: PassageEncoder, thread: EncodeThread) -> None:
        self._encoder = encoder
        self._thread = thread

    async def get(self, text: str, revision: str, deadline: float) -> QueryVector | None:
        """The vector, computed anew for each call and whatever the deadline."""
        assert revision == self._encoder.info.revision
        ids = self._encoder.query_ids([normalise_query(text)])
        vectors = await self._thread.embed_queries(ids)
        return QueryVector(revision, tuple(vectors[0].tolist()), "worker")


@dataclass(frozen=True)
class Searchable:
    """The API's search, and beside it what it is compared with."""

    service: SearchService
    vectors: QueryVectorSource
    revision: str
    rank_fusion: RankFusion


@asynccontextmanager
async def indexed(
    rule_book: Path, model: Path, qdrant_url: str, weights: tuple[float, float]
) -> AsyncIterator[Searchable]:
    """The rule book in a collection of its own, which is deleted at the end."""
    alias = f"bench_{secrets.token_hex(4)}"
    settings = load_settings(qdrant_url=qdrant_url, qdrant_collection=alias)
    client, rest = connect_qdrant(settings), connect_qdrant_rest(settings)
    index = VectorIndex(client, rest, alias)
    encoder = TorchEncoder(ModelSource(model.name, model))
    thread = EncodeThread(encoder)
    thread.start()
    try:
        await index.ensure_collection(encoder.info)
        try:
            await _fill(index, _RuleBookFile(rule_book), encoder, thread)
            vectors = _EncoderVectors(encoder, thread)
            served = ServedCollection(index)
            service = SearchService(index, served, vectors, _BUDGET_MS, weights)
            yield Searchable(service, vectors, encoder.info.revision, RankFusion(rest, alias))
        finally:
            if collection := await index.collection_name():
                await client.delete_collection(collection)
    finally:
        thread.close()
        await index.close()


async def _fill(
    index: VectorIndex, rules: _RuleBookFile, encoder: PassageEncoder, thread: EncodeThread
) -> None:
    """Fetch, chunk, encode and upsert with the stages of the worker."""
    preparer = Preparer(cast(TemplateRepository, rules), index, encoder, Patience())
    embedder = Embedder(thread, load_settings().embedding_max_batch_tokens)
    plans = await preparer.prepare([Work(template_id) for template_id in rules.stored])
    async for group in embedder.embed(plans):
        await index.upsert([point for plan in group for point in plan.points()])
