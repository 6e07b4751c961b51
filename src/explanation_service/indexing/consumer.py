"""The worker's loop: read, prepare, encode, finish, each stage a step ahead of the next."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, field

from explanation_service.indexing.embedder import Embedder
from explanation_service.indexing.failures import Failures
from explanation_service.indexing.finisher import Finisher
from explanation_service.indexing.hand_back import HandBack
from explanation_service.indexing.in_hand import InHand, Work
from explanation_service.indexing.intake import Intake
from explanation_service.indexing.patience import Patience
from explanation_service.indexing.plan import Plan
from explanation_service.indexing.preparer import Preparer
from explanation_service.indexing.reader import Reader
from explanation_service.indexing.tasks import end
from explanation_service.stores.errors import IndexMoved, ModelMismatch

# Rounds between the read and the end of their encoding: one is encoded, one gets ready meanwhile.
ROUNDS_AHEAD = 2
# Groups of embedded templates that may wait for Qdrant before the encoder waits, too.
GROUPS_AHEAD = 4
# Seconds from a stop to the moment when what is still in hand is handed back.
STOP_GRACE = 6.0


@dataclass
class _Round:
    plans: list[Plan]
    finished: asyncio.Event = field(default_factory=asyncio.Event)


class Consumer:
    """`run` it until `stop` is set."""

    def __init__(
        self,
        reader: Reader,
        intake: Intake,
        preparer: Preparer,
        embedder: Embedder,
        finisher: Finisher,
        in_hand: InHand,
        patience: Patience,
        failures: Failures,
        hand_back: HandBack,
        stop: asyncio.Event,
    ) -> None:
        self._reader = reader
        self._intake = intake
        self._preparer = preparer
        self._embedder = embedder
        self._finisher = finisher
        self._in_hand = in_hand
        self._patience = patience
        self._failures = failures
        self._hand_back = hand_back
        self._stop = stop
        self._slots = asyncio.Semaphore(ROUNDS_AHEAD)
        self._prepared: asyncio.Queue[_Round | None] = asyncio.Queue()
        self._embedded: asyncio.Queue[tuple[_Round, list[Plan]] | None] = asyncio.Queue(
            GROUPS_AHEAD
        )

    async def run(self) -> None:
        """Work until the stop, then finish what is in hand, or hand it back after STOP_GRACE
        seconds.

        Raises whatever a stage did not expect: the process should end then, and its entries go to
        the next one.
        """
        stages = [
            asyncio.create_task(stage(), name=stage.__name__)
            for stage in (self._read, self._embed, self._finish)
        ]
        stopping = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait([*stages, stopping], return_when=asyncio.FIRST_COMPLETED)
            if self._stop.is_set():
                await asyncio.wait(stages, timeout=STOP_GRACE)
            for stage in stages:
                if stage.done() and not stage.cancelled():
                    stage.result()
        finally:
            await end(*stages, stopping)
        # What the model did not let go of in time may be what holds it.
        await self._hand_back(self._embedder.encoding)

    async def _read(self) -> None:
        while not self._stop.is_set():
            await self._patience.until_all_there()
            await self._slots.acquire()
            taken = await self._reader.read()
            requests = await self._intake.sort_out(taken.deliveries, taken.at)
            works = self._in_hand.admit(requests)
            current = _Round(await self._prepare(works))
            if not current.plans:
                self._slots.release()
                continue
            self._prepared.put_nowait(current)
            if taken.again:
                # What was delivered before is worked on alone: if it kills this process, nothing
                # beside it has been claimed for that.
                await self._wait_for(current.finished)
        self._prepared.put_nowait(None)

    async def _wait_for(self, finished: asyncio.Event) -> None:
        waits = [asyncio.create_task(event.wait()) for event in (finished, self._stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await end(*waits)

    async def _prepare(self, works: Sequence[Work]) -> list[Plan]:
        """The plans; a template whose preparation fails is released and comes back later."""
        if not works:
            return []
        try:
            return await self._preparer.prepare(works)
        except (IndexMoved, ModelMismatch):
            # Found while a collection that has gone was to be made anew: no template's failure.
            raise
        except Exception as error:
            if len(works) == 1:
                await self._failures.note(works[0], works[0].requests, error)
                return []
        return [plan for work in works for plan in await self._prepare([work])]

    async def _embed(self) -> None:
        while (current := await self._prepared.get()) is not None:
            async with contextlib.aclosing(
                self._embedder.embed(current.plans, self._stop.is_set)
            ) as groups:
                async for group in groups:
                    await self._embedded.put((current, group))
            self._slots.release()
        await self._embedded.put(None)

    async def _finish(self) -> None:
        left: dict[int, int] = {}
        while (item := await self._embedded.get()) is not None:
            current, group = item
            await self._finisher.finish(group, self._stop.is_set)
            remaining = left.pop(id(current), len(current.plans)) - len(group)
            if remaining:
                left[id(current)] = remaining
            else:
                current.finished.set()
