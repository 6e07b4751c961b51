"""How far a long piece of work is: a bar on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import Any, Self

from tqdm import tqdm

# Seconds between lines where nobody watches, as in a CI log.
_LINE_EVERY = 5.0


class Progress:
    """Counts `total` things, to stderr; a context manager."""

    def __init__(self, total: int, what: str) -> None:
        self._total = total
        self._what = what
        self._done = 0
        self._bar: tqdm[Any] | None = None
        self._next_line = time.monotonic() + _LINE_EVERY

    def advance(self, count: int) -> None:
        """`count` more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY
            print(f"{self._done} of {self._total} {self._what}", file=sys.stderr, flush=True)

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = tqdm(total=self._total, unit=f" {self._what}", file=sys.stderr)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
