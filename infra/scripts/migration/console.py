"""What the operator sees: a line for each fact; a countdown and a question on a terminal alone."""

from __future__ import annotations

import sys
import time


class Console:
    """Writes to standard output, where a log of the run is a plain `> file` away."""

    def __init__(self) -> None:
        self._terminal = sys.stdout.isatty()
        self._shown = 0

    def say(self, line: str) -> None:
        self._clear()
        print(time.strftime("%H:%M:%S"), line, flush=True)

    def show(self, text: str) -> None:
        """A countdown that the next one, or the next line, takes the place of."""
        if self._terminal:
            self._clear()
            print(text, end="", flush=True)
            self._shown = len(text)

    def agreed(self, question: str) -> bool:
        """The answer of whoever sits before the terminal; without one nobody is asked."""
        if not (self._terminal and sys.stdin.isatty()):
            return True
        try:
            return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
        except EOFError:
            return False

    def _clear(self) -> None:
        if self._shown:
            print("\r" + " " * self._shown + "\r", end="")
            self._shown = 0
