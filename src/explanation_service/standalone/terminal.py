"""What a person at the terminal sees: short lines on stderr, the result on stdout."""

from __future__ import annotations

import contextlib
import sys
import time
from types import TracebackType

from tqdm import tqdm

# Seconds between lines of progress where there is no terminal to draw a bar on.
_LINE_INTERVAL = 5.0


class Terminal:
    """Seconds in the lines count from the construction."""

    def __init__(self) -> None:
        self._begun = time.monotonic()

    def say(self, line: str) -> None:
        text = f"[{time.monotonic() - self._begun:5.1f} s] {line}"
        # Through tqdm: a line must not tear a bar that is being drawn.
        # A terminal that has gone is no reason for the service to go.
        with contextlib.suppress(OSError):
            tqdm.write(text, file=sys.stderr)
            sys.stderr.flush()

    def result(self, lines: list[str]) -> None:
        print("\n".join(lines), flush=True)

    def progress(self, what: str) -> Progress:
        return Progress(self, what)


class Progress:
    """A bar on a terminal, a line every few seconds elsewhere. A context manager.

    What is to be done is the most that ever waited; it grows when more comes in.
    """

    def __init__(self, terminal: Terminal, what: str) -> None:
        self._terminal = terminal
        self._what = what
        self._total = 0
        self._said_at = time.monotonic()
        self._bar = (
            tqdm(total=0, desc=what, unit=" changes", file=sys.stderr, leave=False)
            if sys.stderr.isatty()
            else None
        )

    def __enter__(self) -> Progress:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.close()

    def waiting(self, count: int) -> None:
        """Show that `count` changes are still to come."""
        self._total = max(self._total, count)
        done = self._total - count
        if self._bar is not None:
            self._bar.total = self._total
            self._bar.n = done
            self._bar.refresh()
        elif time.monotonic() - self._said_at >= _LINE_INTERVAL:
            self._said_at = time.monotonic()
            self._terminal.say(f"{self._what}: {done} of {self._total}")
