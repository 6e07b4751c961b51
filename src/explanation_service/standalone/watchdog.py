"""Kills every process group of the supervisor when the supervisor is gone, however it went.

The kernel ends the children themselves (PR_SET_PDEATHSIG); this is for what they have started. It
runs as a process of its own, reads `+GROUP` and `-GROUP` lines, and acts at the end of its input.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from typing import BinaryIO

from explanation_service.standalone.program import python_environment, python_module


class Watchdog:
    """The supervisor's end of it."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            python_module(__name__),
            stdin=subprocess.PIPE,
            env={**os.environ, **python_environment()},
            start_new_session=True,
        )

    def watch(self, group: int) -> None:
        self._tell(f"+{group}\n")

    def forget(self, group: int) -> None:
        self._tell(f"-{group}\n")

    def close(self) -> None:
        """Ends it; what it still watches is killed."""
        assert self._process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.close()
        self._process.wait()

    def _tell(self, line: str) -> None:
        assert self._process.stdin is not None
        # Without it the service still runs and the children still die with us.
        with contextlib.suppress(BrokenPipeError):
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()


def kill_at_end_of(orders: BinaryIO) -> None:
    groups: set[int] = set()
    for line in orders:
        group = int(line[1:])
        if line.startswith(b"+"):
            groups.add(group)
        else:
            groups.discard(group)
    for group in groups:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


if __name__ == "__main__":
    kill_at_end_of(sys.stdin.buffer)
