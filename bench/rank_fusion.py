"""Both lanes fused by reciprocal rank in Qdrant (Cormack 2009): what the service's own fusion is
compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explanation_service.stores.qdrant_rest import QdrantRest
from explanation_service.stores.records import SparseVector
from explanation_service.stores.vector_layout import DENSE, LEXICAL, sparse_json

# The constant of the paper is 60, which is 61 in Qdrant's counting.
_K = 61
# Chunks a template asked for: several of one template can be hits, and it counts once.
_OVERFETCH = 4


@dataclass(frozen=True)
class RankFusion:
    """Searches through `alias`."""

    rest: QdrantRest
    alias: str

    async def search(self, dense: Sequence[float], words: SparseVector, limit: int) -> list[str]:
        """Ids of the best templates, best first, by the place of their best chunk."""
        chunks = limit * _OVERFETCH
        lanes = {DENSE: list(dense), LEXICAL: sparse_json(words)}
        body = {
            "prefetch": [
                {"query": vector, "using": name, "limit": chunks} for name, vector in lanes.items()
            ],
            "query": {"rrf": {"k": _K}},
            "limit": chunks,
            "with_payload": ["template_id"],
        }
        path = f"/collections/{self.alias}/points/query"
        answer = await self.rest.post(path, body, self.alias)
        ids = [hit["payload"]["template_id"] for hit in answer["points"]]
        return list(dict.fromkeys(ids))[:limit]
