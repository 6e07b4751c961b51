"""The signs of life of a loop, so that one that hangs can be told from one that waits."""

from __future__ import annotations

import time
from collections.abc import Callable

# Seconds. An idle loop beats each second, one that waits for a store with each attempt (the slowest
# time-out is 30 s), one that encodes with each batch. The longest single step is to compare a whole
# rule book with the index, about 3 minutes for a million templates.
SILENT_AFTER = 300.0


class Pulse:
    """`beat` it whenever the loop got something done, an attempt that failed included."""

    def __init__(self, loop: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.loop = loop
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """The loop goes on."""
        self._last = self._clock()

    def why_stuck(self) -> str | None:
        """One sentence when it has been silent for too long."""
        silent = self._clock() - self._last
        if silent < SILENT_AFTER:
            return None
        return f"the {self.loop} loop has not moved for {silent:.0f} s"
