"""Encode: from token ids to vectors, templates handed on as soon as they are complete."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence

from explanation_service.indexing.batching import Batch, plan_batches
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.plan import Action, Plan, PlannedChunk
from explanation_service.telemetry.logging import get_logger
from explanation_service.telemetry.metrics import (
    embed_batch_tokens,
    embed_padding_ratio,
    embed_stage_seconds,
)

log = get_logger(__name__)

# Templates handed on at once: fewer make more requests to Qdrant, more come later to the search.
GROUP_SIZE = 32


class Embedder:
    """Runs the batches of one round through the encode thread."""

    def __init__(self, thread: EncodeThread, max_batch_tokens: int) -> None:
        self._thread = thread
        self._max_batch_tokens = max_batch_tokens
        self.encoding: set[str] = set()
        """The templates that have a text in the batch in work."""

    async def embed(
        self, plans: Sequence[Plan], give_up: Callable[[], bool] = lambda: False
    ) -> AsyncGenerator[list[Plan], None]:
        """The plans in groups, each plan once, those without anything to embed first.

        A batch that fails is tried text by text; the plans of texts that fail alone come out
        with `embedded` False. When `give_up` says so the rest comes out like that, too.
        """
        ready = [plan for plan in plans if plan.action is not Action.EMBED]
        if ready:
            yield ready
        waiting = [plan for plan in plans if plan.action is Action.EMBED]
        chunks = [chunk for plan in waiting for chunk in plan.chunks]
        owners = [plan for plan in waiting for _ in plan.chunks]
        missing = {id(plan): len(plan.chunks) for plan in waiting}
        ready = []
        for batch in plan_batches([len(chunk.ids) for chunk in chunks], self._max_batch_tokens):
            if not give_up():
                in_batch = {owners[position].work.template_id for position in batch.positions}
                self.encoding |= in_batch
                await self._run(batch, [chunks[position] for position in batch.positions])
                self.encoding -= in_batch
            for position in batch.positions:
                owner = owners[position]
                missing[id(owner)] -= 1
                if not missing[id(owner)]:
                    ready.append(owner)
            if len(ready) >= GROUP_SIZE:
                yield ready
                ready = []
        if ready:
            yield ready

    async def _run(self, batch: Batch, chunks: Sequence[PlannedChunk]) -> None:
        embed_batch_tokens.observe(batch.padded_tokens)
        embed_padding_ratio.observe(1 - batch.tokens / batch.padded_tokens)
        with embed_stage_seconds.labels("encode").time():
            if await self._try(chunks) or len(chunks) == 1:
                return
            log.warning("batch failed, its texts follow one by one", texts=len(chunks))
            for chunk in chunks:
                await self._try([chunk])

    async def _try(self, chunks: Sequence[PlannedChunk]) -> bool:
        try:
            await self._fill(chunks)
        except Exception as error:  # whatever the model raises; the text comes back and counts
            why = f"{type(error).__name__}: {error}"
            log.error("texts could not be embedded", texts=len(chunks), why=why)
            for chunk in chunks:
                chunk.failure = error
            return False
        return True

    async def _fill(self, chunks: Sequence[PlannedChunk]) -> None:
        vectors = await self._thread.embed_passages([chunk.ids for chunk in chunks])
        # A vector with a NaN would be refused by Qdrant, or worse, be found by everything.
        if not bool((abs(vectors) <= 1.001).all()):
            raise ValueError("the model gave a vector that is not finite")
        rows: list[list[float]] = vectors.tolist()
        for chunk, row in zip(chunks, rows, strict=True):
            chunk.vector = row
