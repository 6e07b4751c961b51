"""Brings templates into the new collection with the stages of the worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.encode_thread import EncodeThread
from explanation_service.indexing.encoder import PassageEncoder
from explanation_service.indexing.failures import Failures
from explanation_service.indexing.finisher import Finisher
from explanation_service.indexing.in_hand import InHand, Work
from explanation_service.indexing.leases import Leases
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import Action, Plan
from explanation_service.indexing.preparer import Preparer
from explanation_service.indexing.rebuild.faults import Interrupted
from explanation_service.stores.event_stream import EventStream
from explanation_service.stores.mongodb import TemplateRepository
from explanation_service.stores.vector_index import VectorIndex

_NO_CONSUMER = "rebuild"


class Reembedder:
    """Content hashes say what is there already, so anything can be done twice at little cost.

    `templates` and `passages` count what was embedded.
    """

    def __init__(
        self,
        repository: TemplateRepository,
        index: VectorIndex,
        stream: EventStream,
        encoder: PassageEncoder,
        thread: EncodeThread,
        max_batch_tokens: int,
        patience: Patience,
        stopped: Callable[[], bool],
    ) -> None:
        self._preparer = Preparer(repository, index, encoder, patience)
        self._embedder = Embedder(thread, max_batch_tokens)
        # What comes without a stream entry has no lease that could be lost.
        in_hand = InHand()
        self._finisher = Finisher(
            repository,
            index,
            stream,
            self._preparer,
            self._embedder,
            in_hand,
            patience,
            Leases(stream, _NO_CONSUMER, in_hand),
            Failures(stream, _NO_CONSUMER, in_hand),
        )
        self._stopped = stopped
        self.templates = 0
        self.passages = 0

    async def bring_up_to_date(
        self,
        template_ids: Sequence[str],
        careful: bool = False,
        advance: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Afterwards the collection holds these templates as MongoDB does, but for those that the
        model or Qdrant refuse (logged; the verification finds them).

        `careful`: somebody may have died half-way through them. `advance` is told how many more
        are through. Raises Interrupted when told to
        stop; whatever was finished stays.
        """
        works = [Work(one, careful=careful) for one in dict.fromkeys(template_ids)]
        finishing: asyncio.Task[None] | None = None
        try:
            plans = await self._preparer.prepare(works) if works else []
            async for group in self._embedder.embed(plans, self._stopped):
                self._count(group)
                advance(len(group))
                if finishing is not None:
                    await finishing
                # While the next batches are encoded.
                finishing = asyncio.create_task(self._finisher.finish(group, self._stopped))
        finally:
            if finishing is not None:
                await finishing
        if self._stopped():
            raise Interrupted

    def _count(self, plans: Sequence[Plan]) -> None:
        embedded = [plan for plan in plans if plan.action is Action.EMBED and plan.embedded]
        self.templates += len(embedded)
        self.passages += sum(len(plan.chunks) for plan in embedded)
