"""One running child in a process group of its own, which ends with this process."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator

from explanation_service.standalone.program import Program

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.02
_NUDGE_SECONDS = 0.1


class Process:
    """Start it in the main thread: the kernel ties the child's life to the thread that forked."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.started_at = time.monotonic()
        self._group_is_gone = False
        with program.log.open("ab") as log:
            self._child = subprocess.Popen(
                program.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=program.working_directory,
                env={**os.environ, **program.environment},
                # Out of reach of the terminal's Ctrl-C: the supervisor decides the order.
                start_new_session=True,
                preexec_fn=_die_with(os.getpid()),
            )

    @property
    def pid(self) -> int:
        """Also the id of its process group."""
        return self._child.pid

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative is the number of the signal that killed it."""
        return self._child.poll()

    def wait(self, seconds: float) -> bool:
        """Whether it has ended within `seconds`."""
        try:
            self._child.wait(seconds)
        except subprocess.TimeoutExpired:
            return False
        return True

    def terminate(self) -> None:
        """Ask it to end."""
        if self.exit_code is None:
            self._child.terminate()

    def nudge(self) -> None:
        """Help an end that has been asked for."""
        if self.program.nudge is not None:
            self.program.nudge()

    def kill_group(self) -> None:
        """End it and whatever it has started, now. Only the first call acts: later the number of
        the group may belong to somebody else."""
        if self._group_is_gone:
            return
        self._group_is_gone = True
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        self._child.wait()

    def stop(self, seconds: float | None = None) -> None:
        """SIGTERM, then SIGKILL after `seconds` (the program's own patience by default)."""
        self.terminate()
        deadline = time.monotonic() + (self.program.stop_seconds if seconds is None else seconds)
        while not self.wait(_NUDGE_SECONDS) and time.monotonic() < deadline:
            self.nudge()
        self.kill_group()

    def wait_until_ready(self, seconds: float) -> bool:
        """Whether the probe succeeded within `seconds`; False at once when the process ended."""
        deadline = time.monotonic() + seconds
        while self.exit_code is None and time.monotonic() < deadline:
            if self.program.ready():
                return True
            time.sleep(_POLL_SECONDS)
        return False


@contextlib.contextmanager
def running(program: Program, seconds: float = 60.0) -> Iterator[Process]:
    """A program that answers, for the time of the block. Raises RuntimeError with its log when it
    does not answer within `seconds`."""
    process = Process(program)
    try:
        if not process.wait_until_ready(seconds):
            log = program.log.read_text(errors="replace")
            raise RuntimeError(f"{program.name} did not start: {log}")
        yield process
    finally:
        process.stop()


async def exit_of(process: Process) -> int:
    """The exit code, when the process has ended. Costs nothing meanwhile where pidfd exists."""
    try:
        handle = os.pidfd_open(process.pid)
    except (AttributeError, OSError):
        while process.exit_code is None:
            await asyncio.sleep(_POLL_SECONDS)
        return process.exit_code
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    loop.add_reader(handle, ended.set)
    try:
        if process.exit_code is None:
            await ended.wait()
    finally:
        loop.remove_reader(handle)
        os.close(handle)
    process.wait(_POLL_SECONDS)
    return process.exit_code or 0


def how_it_ended(exit_code: int) -> str:
    """For the terminal: "was killed by SIGKILL" or "ended with status 1"."""
    if exit_code >= 0:
        return f"ended with status {exit_code}"
    try:
        return f"was killed by {signal.Signals(-exit_code).name}"
    except ValueError:
        return f"was killed by signal {-exit_code}"


def _die_with(parent: int) -> Callable[[], None] | None:
    """For the child, between fork and exec: SIGKILL when `parent` dies, even by kill -9."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None, use_errno=True)

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:
            # It died before the line above, so no signal would come any more.
            os._exit(1)

    return tie
