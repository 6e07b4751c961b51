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
    """Counts `total` things, to stderr; a context manager. `done` are so from an earlier run;
    `with_rate` says in each line how fast it goes and how long it still takes, as the bar does."""

    def __init__(self, total: int, what: str, done: int = 0, with_rate: bool = False) -> None:
        self._total = total
        self._what = what
        self._first = done
        self._done = done
        self._with_rate = with_rate
        self._started = time.monotonic()
        self._bar: tqdm[Any] | None = None
        self._next_line = time.monotonic() + _LINE_EVERY

    def advance(self, count: int) -> None:
        """`count` more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + _LINE_EVERY
            print(self._line(), file=sys.stderr, flush=True)

    def _line(self) -> str:
        line = f"{self._done} of {self._total} {self._what}"
        if not self._with_rate:
            return line
        rate = (self._done - self._first) / max(1e-9, time.monotonic() - self._started)
        left = tqdm.format_interval(max(0, self._total - self._done) / max(1e-9, rate))
        return f"{line}, {rate:.1f}/s, {left} left"

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = tqdm(
                total=self._total, initial=self._done, unit=f" {self._what}", file=sys.stderr
            )
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()
