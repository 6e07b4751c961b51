"""Compares and repairs until a collection holds what MongoDB holds, while edits go on."""

from __future__ import annotations

from collections.abc import Sequence

from explanation_service.indexing.patience import Patience
from explanation_service.indexing.rebuild.follower import Follower
from explanation_service.indexing.rebuild.reembedding import Reembedder
from explanation_service.indexing.rebuild.verification import Verification
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Passes over everything; each finds only what was edited during the one before.
_PASSES = 5
# Attempts at single templates: who is edited that often in between is taken care of by its events.
_ATTEMPTS = 3


class Repair:
    """`searchable` and `chunks` are what the last pass found in order."""

    def __init__(
        self,
        verification: Verification,
        reembedder: Reembedder,
        follower: Follower,
        patience: Patience,
    ) -> None:
        self._patience = patience
        self._verification = verification
        self._reembedder = reembedder
        self._follower = follower
        self.searchable = 0
        self.chunks = 0

    async def run(self) -> list[str]:
        """Ids of the templates that cannot be brought in, whatever is tried."""
        failed: list[str] = []
        for _ in range(_PASSES):
            await self._follower.catch_up()
            self._follower.missed = False
            found = await self._verification.compare_all()
            self.searchable, self.chunks = found.searchable, found.chunks
            failed = await self._bring_in(found.differing)
            if len(found.differing) > len(failed):
                continue
            if await self._verification.count() == found.chunks:
                break
            surplus = await self._patience.through(self._verification.surplus)
            log.info("chunks that nothing accounts for", templates=len(surplus))
            if not surplus:
                # What was edited between the two counts.
                break
            await self._bring_in(surplus)
        return failed

    async def _bring_in(self, template_ids: Sequence[str]) -> list[str]:
        """Those for which it did not help."""
        left = list(template_ids)
        for _ in range(_ATTEMPTS):
            if not left:
                break
            await self._reembedder.bring_up_to_date(left, careful=True)
            left = await self._verification.compare(left)
        return left
