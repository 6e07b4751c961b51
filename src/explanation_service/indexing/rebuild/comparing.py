"""The quality gate's two sides: the new collection, and the one in use."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.faults import RebuildFault
from explanation_service.indexing.rebuild.gate import Verdict, judge, measure
from explanation_service.indexing.rebuild.questions import (
    Question,
    read_questions,
    title_questions,
)
from explanation_service.indexing.rebuild.served_vectors import ServedVectors
from explanation_service.indexing.rebuild.workshop import Workshop
from explanation_service.retrieval.normalise import normalise_query
from explanation_service.stores.collection_names import is_of_model
from explanation_service.stores.vector_index import VectorIndex

# Texts a batch of the new model.
_BATCH = 16


async def compare_with_served(
    shop: Workshop, served: str, new: VectorIndex
) -> tuple[list[Verdict], int]:
    """A verdict on each lane, and how many questions were asked; none where there are none.

    Raises RebuildFault when there is nothing to compare with.
    """
    patience = Patience()
    questions = await _questions(shop, patience)
    old_vectors = await _old_vectors(shop, served, questions, patience)
    if old_vectors is not None:
        questions = [question for question in questions if question.text in old_vectors]
    if not questions:
        return [], 0
    new_vectors = await own_vectors(shop.encoder, shop.thread, [one.text for one in questions])
    new_scores = await measure(new, questions, new_vectors, shop.weights, patience)
    old_scores = None
    if old_vectors is not None:
        old = shop.connections.index.for_collection(served)
        old_scores = await measure(old, questions, old_vectors, shop.weights, patience)
    options = shop.options
    return judge(old_scores, new_scores, options.tolerance, options.at_least), len(questions)


async def own_vectors(
    encoder: PassageEncoder, thread: EncodeThread, texts: Sequence[str]
) -> dict[str, list[float]]:
    """Query vectors of the new model, by text."""
    found: dict[str, list[float]] = {}
    for start in range(0, len(texts), _BATCH):
        batch = texts[start : start + _BATCH]
        ids = await asyncio.to_thread(encoder.query_ids, [normalise_query(text) for text in batch])
        rows = await thread.embed_queries(ids)
        found |= dict(zip(batch, rows.tolist(), strict=True))
    return found


async def _questions(shop: Workshop, patience: Patience) -> list[Question]:
    if shop.options.questions is not None:
        return read_questions(shop.options.questions)
    return await title_questions(shop.connections.repository, patience)


async def _old_vectors(
    shop: Workshop, served: str, questions: Sequence[Question], patience: Patience
) -> dict[str, Sequence[float]] | None:
    """By text; None when the options say that nothing is to be compared with."""
    texts = [question.text for question in questions]
    alias, info = shop.collections.alias, shop.encoder.info
    if is_of_model(alias, served, info.revision):
        return {**await own_vectors(shop.encoder, shop.thread, texts)}
    if shop.options.at_least is not None or not texts:
        return None
    workers = ServedVectors(shop.asking, alias)
    revision = await patience.through(lambda: workers.revision_of(served))
    found = {} if revision is None else await patience.through(lambda: workers.of(texts, revision))
    if not found:
        raise RebuildFault(
            f"No worker of the model behind {served} answers, so there is nothing to compare with: "
            "start one, or say with --at-least which share of the questions must be answered."
        )
    return {**found}
