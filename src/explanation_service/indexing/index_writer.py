"""Upsert, remove, label, trim: carries plans out in the index, as long as they are leased."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from explanation_service.indexing.leases import Leases
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import Action, Plan
from explanation_service.stores.vector_index import VectorIndex


class IndexWriter:
    """Each write is guarded by the version in the index, see stores/vector_writes.py."""

    def __init__(self, index: VectorIndex, leases: Leases, patience: Patience) -> None:
        self._index = index
        self._leases = leases
        self._patience = patience

    async def write(self, plans: Sequence[Plan]) -> None:
        """Carry out the plans; those whose leases are lost stay unwritten, in part or in whole.

        Waits while Qdrant or Redis is away; raises StoreRejected.
        """
        by_action: dict[Action, list[Plan]] = {action: [] for action in Action}
        for plan in plans:
            by_action[plan.action].append(plan)
        await self._while_held(by_action[Action.EMBED], self._upsert)
        await self._while_held(by_action[Action.REMOVE], self._remove)
        labelled = by_action[Action.NOTE_VERSION] + by_action[Action.RELABEL]
        await self._while_held(labelled, self._relabel)
        for plan in by_action[Action.EMBED] + labelled:
            if plan.must_trim():
                await self._while_held([plan], self._trim)

    async def _while_held(
        self, plans: Sequence[Plan], write: Callable[[Sequence[Plan]], Awaitable[None]]
    ) -> None:
        """Write what is leased at that moment, again and again while a store is away."""

        async def attempt() -> None:
            await self._leases.confirm([plan.work for plan in plans])
            held = [plan for plan in plans if not plan.work.abandoned]
            for plan in held:
                plan.work.wrote = True
            if held:
                await write(held)

        if plans:
            await self._patience.through(attempt)

    async def _upsert(self, plans: Sequence[Plan]) -> None:
        points = [point for plan in plans for point in plan.points()]
        await self._index.upsert(points, {plan.work.template_id: plan.up_to for plan in plans})

    async def _remove(self, plans: Sequence[Plan]) -> None:
        # A template that MongoDB does not know has no version that could be compared.
        known = {plan.work.template_id: plan.up_to for plan in plans if plan.stored is not None}
        await self._index.delete([plan.work.template_id for plan in plans], known)

    async def _relabel(self, plans: Sequence[Plan]) -> None:
        await self._index.relabel([plan.new_labels() for plan in plans])

    async def _trim(self, plans: Sequence[Plan]) -> None:
        for plan in plans:
            await self._index.trim(plan.work.template_id, plan.chunks_after, plan.up_to)
