"""All generations of this process: one for each question, whoever asks it, here or elsewhere.

A generation is a task of its own. The request that began it waits within its budget; when that runs
out the generation goes on, bounded by `background_seconds` and by its slot of the quota, and its
answer is kept for the next pupil. When everybody who waited has gone away instead, it is cancelled:
nobody has seen that it takes too long, and tokens cost money.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from explanation_service.explanations.answer_memory import AnswerMemory
from explanation_service.explanations.generation import Generated, Generation
from explanation_service.explanations.language_model import (
    Completion,
    Deadlines,
    LanguageModel,
    LanguageModelUnavailable,
    Prompt,
)
from explanation_service.explanations.records import Usage
from explanation_service.stores.explanation_answers import AnswerKeys, KeptAnswer
from explanation_service.telemetry.logging import get_logger

log = get_logger(__name__)

# Seconds between two looks whether another process has the answer.
_LOOK_PAUSE = 0.05


class Generations:
    """One per process; `close` it before the model and Redis."""

    def __init__(
        self, model: LanguageModel, memory: AnswerMemory, background_seconds: float
    ) -> None:
        self._model = model
        self._memory = memory
        self._background_seconds = background_seconds
        self._running: dict[str, Generation] = {}
        self._tasks: set[asyncio.Task[Generated]] = set()

    @asynccontextmanager
    async def joined(
        self, keys: AnswerKeys, prompt: Prompt, deadline: float, *, streamed: bool
    ) -> AsyncIterator[Generation]:
        """The generation for this question, begun unless it runs already.

        A block that ends by TimeoutError leaves it to go on; one that is cancelled or closed does
        not. `streamed`: the pieces of a new one shall be told as they come.
        """
        generation = self._running.get(keys.flight)
        if generation is None or not generation.joinable:
            generation = self._begin(keys, prompt, deadline, streamed)
        generation.listen()
        for_later = False
        try:
            yield generation
        except TimeoutError:
            for_later = True
            raise
        finally:
            generation.leave(for_later=for_later)

    async def close(self) -> None:
        """Cancel what goes on."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(
        self, keys: AnswerKeys, prompt: Prompt, deadline: float, streamed: bool
    ) -> Generation:
        generation = self._running[keys.flight] = Generation()
        # Nobody waits for a turn longer than the request would: the backlog stays bounded.
        deadlines = Deadlines(deadline, max(deadline, time.monotonic() + self._background_seconds))
        task = asyncio.create_task(
            self._generate(generation, keys, prompt, deadlines, streamed), name="generation"
        )
        generation.run(task)
        self._tasks.add(task)

        def ended(task: asyncio.Task[Generated]) -> None:
            self._tasks.discard(task)
            if self._running.get(keys.flight) is generation:
                del self._running[keys.flight]
            _report(task)

        task.add_done_callback(ended)
        return generation

    async def _generate(
        self,
        generation: Generation,
        keys: AnswerKeys,
        prompt: Prompt,
        deadlines: Deadlines,
        streamed: bool,
    ) -> Generated:
        token = uuid4().hex
        while not await self._memory.claim(keys, token):
            seen = await self._memory.recall(keys)
            if seen.fresh is not None:
                return Generated(_as_completion(seen.fresh), "cache")
            if seen.failed is not None:
                raise LanguageModelUnavailable("failed_before", seen.failed)
            if time.monotonic() + _LOOK_PAUSE >= deadlines.begin:
                raise LanguageModelUnavailable("made_elsewhere")
            await asyncio.sleep(_LOOK_PAUSE)
        async with self._memory.claimed(keys, token):
            # Between our first look and the claim another one may have finished.
            seen = await self._memory.recall(keys)
            if seen.fresh is not None:
                return Generated(_as_completion(seen.fresh), "cache")
            if streamed:
                completion = await self._model.stream(prompt, deadlines, generation.tell)
            else:
                completion = await self._model.complete(prompt, deadlines)
            await self._memory.keep(keys, completion)
        return Generated(completion, "llm")


def _as_completion(kept: KeptAnswer) -> Completion:
    # Its tokens were charged to another request.
    return Completion(kept.text, kept.model, kept.model_version, Usage(0, 0), kept.truncated)


def _report(task: asyncio.Task[Generated]) -> None:
    """Also tells asyncio that the exception was seen, where nobody waits for it any more."""
    if task.cancelled():
        return
    error = task.exception()
    if isinstance(error, LanguageModelUnavailable):
        log.info("no answer of the language model", why=error.reason, detail=error.detail)
    elif error is not None:
        log.error("a generation failed", exc_info=error)
