"""One answer of the model in the making, for all who wait for it in this process."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import Literal

from explanation_service.explanations.language_model import Completion


@dataclass(frozen=True, slots=True)
class Generated:
    """`source` is "cache" when another process made it while we waited."""

    completion: Completion
    source: Literal["llm", "cache"]


class Generation:
    """Belongs to nobody: it goes on while somebody listens, or when somebody left it for later."""

    def __init__(self) -> None:
        self._text = ""
        self._news = asyncio.Event()
        self._task: asyncio.Task[Generated] | None = None
        self._listeners = 0
        self._left_for_later = False
        self._abandoned = False

    def run(self, task: asyncio.Task[Generated]) -> None:
        """Take the task that makes the answer; called once, at once."""
        self._task = task
        task.add_done_callback(lambda _: self._announce())

    @property
    def done(self) -> bool:
        return self._task is not None and self._task.done()

    @property
    def joinable(self) -> bool:
        """Whether it will yet come to an end that is worth waiting for."""
        return not self.done and not self._abandoned

    def tell(self, piece: str) -> None:
        """Called by the task with the next piece of the text."""
        self._text += piece
        self._announce()

    async def follow(self, deadline: float) -> AsyncGenerator[str]:
        """Pieces of the text from its start to its end.

        Raises what the task raised, and TimeoutError at `deadline` (of `time.monotonic()`).
        """
        told = 0
        while True:
            if len(self._text) > told:
                piece = self._text[told:]
                told += len(piece)
                yield piece
            elif self.done:
                if rest := self.result().completion.text[told:]:
                    yield rest
                return
            else:
                news = self._news
                async with asyncio.timeout(deadline - time.monotonic()):
                    await news.wait()

    def result(self) -> Generated:
        """The answer; raises what the task raised. Only when it is done."""
        assert self._task is not None
        if self._task.cancelled():
            # Nobody can listen to it any more but who came in this very moment.
            raise TimeoutError
        return self._task.result()

    def listen(self) -> None:
        """One more waits for it."""
        self._listeners += 1

    def leave(self, *, for_later: bool) -> None:
        """One less. `for_later`: it shall go on, for whoever asks next."""
        self._listeners -= 1
        self._left_for_later = self._left_for_later or for_later
        if not self._listeners and not self._left_for_later and self._task is not None:
            self._abandoned = True
            self._task.cancel()

    def _announce(self) -> None:
        news, self._news = self._news, asyncio.Event()
        news.set()
