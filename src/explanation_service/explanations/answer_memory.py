"""What the chain asks Redis, so bounded that a slow or absent Redis costs little and fails nothing.

Without Redis nothing is known, every generation is ours, and nothing is kept.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Protocol, TypeVar

from explanation_service.explanations.language_model import Completion, LanguageModelUnavailable
from explanation_service.stores.errors import StoreError
from explanation_service.stores.explanation_answers import (
    FLIGHT_SECONDS,
    AnswerKeys,
    AnswersSeen,
    KeptAnswer,
)
from explanation_service.stores.time_limit import TimeLimit
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

T = TypeVar("T")

# Seconds for which a question is not generated again after it failed: long enough to be seen by
# those who wait for the same answer, and shorter than a pupil takes to ask again. A refusal stays
# one for longer.
FAILED_SECONDS = 0.5
REFUSED_SECONDS = 60.0


class AnswerStore(Protocol):
    """ExplanationAnswers, or a stand-in."""

    async def look_up(self, keys: AnswerKeys) -> AnswersSeen: ...

    async def keep(self, keys: AnswerKeys, answer: KeptAnswer) -> None: ...

    async def claim(self, keys: AnswerKeys, token: str) -> bool: ...

    async def renew(self, keys: AnswerKeys, token: str) -> None: ...

    async def release(self, keys: AnswerKeys, token: str) -> None: ...

    async def fail(self, keys: AnswerKeys, token: str, reason: str, seconds: float) -> None: ...


@dataclass(frozen=True, slots=True)
class Remembered:
    """`fresh`: to be given without asking the model; `stale`: for when it gives none."""

    fresh: KeptAnswer | None = None
    stale: KeptAnswer | None = None
    failed: str | None = None


class AnswerMemory:
    """One per process. Nothing here raises because of Redis."""

    def __init__(
        self,
        store: AnswerStore,
        fresh_seconds: float,
        *,
        time_limit: TimeLimit | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._fresh_seconds = fresh_seconds
        self._time_limit = time_limit or TimeLimit("redis")
        self._clock = clock

    async def recall(self, keys: AnswerKeys) -> Remembered:
        """What is known about a question."""
        seen = await self._asked(lambda: self._store.look_up(keys), AnswersSeen())
        answer = seen.answer
        if answer is None:
            return Remembered(failed=seen.failed)
        fresh = (
            answer.stamp == keys.stamp
            # The model's own version is known from its answers alone.
            and seen.model_version in (None, answer.model_version)
            and self._clock() - answer.made_at < self._fresh_seconds
        )
        if fresh:
            return Remembered(fresh=answer, stale=answer)
        return Remembered(stale=answer, failed=seen.failed)

    async def keep(self, keys: AnswerKeys, completion: Completion) -> None:
        """Keep an answer for those who ask the same."""
        answer = KeptAnswer(
            text=completion.text,
            model=completion.model,
            model_version=completion.version,
            truncated=completion.truncated,
            stamp=keys.stamp,
            made_at=self._clock(),
        )
        await self._asked(lambda: self._store.keep(keys, answer), None)

    async def claim(self, keys: AnswerKeys, token: str) -> bool:
        """Whether the generation is ours; without Redis it is everybody's."""
        return await self._asked(lambda: self._store.claim(keys, token), True)

    @asynccontextmanager
    async def claimed(self, keys: AnswerKeys, token: str) -> AsyncIterator[None]:
        """Keeps the claim for the time of the block and settles it by how the block ends."""
        renewal = asyncio.create_task(self._keep_renewed(keys, token))
        try:
            yield
        except LanguageModelUnavailable as failure:
            seconds = REFUSED_SECONDS if failure.lasting else FAILED_SECONDS
            reason = failure.reason
            await self._asked(lambda: self._store.fail(keys, token, reason, seconds), None)
            raise
        except BaseException:
            # Broken off, by its last listener or the end of the process: anybody may try.
            await self._asked(lambda: self._store.release(keys, token), None)
            raise
        else:
            await self._asked(lambda: self._store.release(keys, token), None)
        finally:
            renewal.cancel()

    async def _keep_renewed(self, keys: AnswerKeys, token: str) -> None:
        while True:
            await asyncio.sleep(FLIGHT_SECONDS / 2)
            await self._asked(lambda: self._store.renew(keys, token), None)

    async def _asked(self, question: Callable[[], Awaitable[T]], otherwise: T) -> T:
        try:
            return await self._time_limit.ask(question)
        except StoreError as error:
            log.debug("answered without the kept answers", why=str(error))
            return otherwise


class NothingKept:
    """An AnswerStore that remembers nothing."""

    async def look_up(self, keys: AnswerKeys) -> AnswersSeen:
        return AnswersSeen()

    async def keep(self, keys: AnswerKeys, answer: KeptAnswer) -> None:
        return

    async def claim(self, keys: AnswerKeys, token: str) -> bool:
        return True

    async def renew(self, keys: AnswerKeys, token: str) -> None:
        return

    async def release(self, keys: AnswerKeys, token: str) -> None:
        return

    async def fail(self, keys: AnswerKeys, token: str, reason: str, seconds: float) -> None:
        return
