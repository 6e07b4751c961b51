"""Fetch and chunk: from template ids to plans with token ids."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from explanation_service.indexing.chunker import Chunker, normalise_body
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.in_hand import Work
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import Action, Plan, PlannedChunk, decide
from explanation_service.reconciliation.content_hash import content_hash
from explanation_service.retrieval.lexical import encode_document
from explanation_service.stores.mongodb import TemplateRepository
from explanation_service.stores.vector_index import VectorIndex
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import embed_skipped_total, embed_stage_seconds

log = get_logger(__name__)


class Preparer:
    """Waits while MongoDB or Qdrant is away; raises StoreRejected and what a chunker raises."""

    def __init__(
        self,
        repository: TemplateRepository,
        index: VectorIndex,
        encoder: PassageEncoder,
        patience: Patience,
    ) -> None:
        self._repository = repository
        self._index = index
        self._encoder = encoder
        self._patience = patience
        frame = len(encoder.passage_ids([""])[0])
        self._chunker = Chunker(encoder.token_spans, encoder.info.max_tokens, frame)

    async def prepare(self, works: Sequence[Work]) -> list[Plan]:
        """One plan for each template, in the same order.

        MongoDB is read before the index. Were it the other way round, a worker that wrote an
        older version in between would not be seen (tests/unit/indexing/test_histories.py).
        """
        ids = [work.template_id for work in works]
        answered = {work.template_id: list(work.requests) for work in works}
        with embed_stage_seconds.labels("fetch").time():
            stored = await self._patience.through(lambda: self._repository.get_many(ids))
            states = await self._patience.through(lambda: self._index.indexed_state(ids))
        plans = []
        for work in works:
            found, state = stored.get(work.template_id), states.get(work.template_id)
            template = None if found is None else found.template
            new_hash = "" if template is None else content_hash(template, self._revision)
            action = decide(work, found, state, new_hash)
            plan = Plan(work, found, action, answered[work.template_id], new_hash, state)
            plans.append(plan)
            _count_skipped(plan)
        to_embed = [plan for plan in plans if plan.action is Action.EMBED]
        if to_embed:
            with embed_stage_seconds.labels("chunk").time():
                # Off the loop: long texts take 10 ms and more, and queries must not wait.
                await asyncio.to_thread(self._chunk, to_embed)
        return plans

    @property
    def _revision(self) -> str:
        return self._encoder.info.revision

    def _chunk(self, plans: Sequence[Plan]) -> None:
        for plan in plans:
            template = plan.stored.template if plan.stored is not None else None
            if template is None:
                continue
            chunks = self._chunker.split(template.title, normalise_body(template.body))
            ids = self._encoder.passage_ids([chunk.embedded_text for chunk in chunks])
            plan.chunks = [
                PlannedChunk(chunk, row, encode_document(template.title, chunk.text))
                for chunk, row in zip(chunks, ids, strict=True)
            ]


def _count_skipped(plan: Plan) -> None:
    stored = plan.stored
    if plan.action in (Action.KEEP, Action.NOTE_VERSION, Action.RELABEL):
        embed_skipped_total.labels(plan.action.value).inc()
    elif plan.action is Action.REMOVE and stored is not None and stored.fault is not None:
        embed_skipped_total.labels("invalid_template").inc()
        log.warning("document is no template", template_id=stored.id, why=stored.fault)
