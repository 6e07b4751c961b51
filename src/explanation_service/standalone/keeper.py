"""Keeps one program running: starts it again when it dies, until it dies too often."""

from __future__ import annotations

import asyncio
import time
from collections import deque

from explanation_service.standalone import logs
from explanation_service.standalone.faults import GaveUp
from explanation_service.standalone.process import Process, exit_of, how_it_ended
from explanation_service.standalone.program import Program
from explanation_service.standalone.terminal import Terminal
from explanation_service.standalone.watchdog import Watchdog

# Five deaths within a minute are a fault that a sixth start does not cure.
_DEATHS_ALLOWED = 5
_WINDOW_SECONDS = 60.0
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 3.0
# How long a start may go on failing because the run before it has not let go.
_BUSY_SECONDS = 30.0
_READY_SECONDS = 120.0
_PROBE_SECONDS = 0.05
# The services' own word for "the settings are wrong": no restart cures that.
_EXIT_SETTINGS = 2


class Keeper:
    """`run` is to be one task in the main thread; `ready` is set while the program answers."""

    def __init__(self, program: Program, terminal: Terminal, watchdog: Watchdog) -> None:
        self.program = program
        self.ready = asyncio.Event()
        self.process: Process | None = None
        self._terminal = terminal
        self._watchdog = watchdog
        self._deaths: deque[float] = deque(maxlen=_DEATHS_ALLOWED)
        self._busy_since: float | None = None
        self._stopping = False

    def stop(self) -> None:
        """Ask the program to end; from now on its end is no death."""
        self._stopping = True
        if self.process is not None:
            self.process.terminate()

    def kill(self) -> None:
        """End the program and everything it has started."""
        self._stopping = True
        if self.process is not None:
            self.process.kill_group()
            self._watchdog.forget(self.process.pid)

    async def run(self) -> None:
        """Returns after `stop`. Raises GaveUp."""
        while not self._stopping:
            log_before = logs.size(self.program.log)
            try:
                self.process = process = Process(self.program)
            except OSError as error:
                raise GaveUp(f"{self.program.name} cannot be started: {error}.") from error
            self._watchdog.watch(process.pid)
            watching = asyncio.create_task(self._until_ready(process))
            exit_code = await exit_of(process)
            watching.cancel()
            self.ready.clear()
            # What it has started must not hold ports or files of the next one.
            process.kill_group()
            self._watchdog.forget(process.pid)
            if not self._stopping:
                await asyncio.sleep(self._pause_after(process, exit_code, log_before))

    def _pause_after(self, process: Process, exit_code: int, log_before: int) -> float:
        """Seconds until the next start. Raises GaveUp."""
        name, log = self.program.name, self.program.log
        if self._still_busy(process, log_before):
            return _FIRST_PAUSE
        self._busy_since = None
        ending = how_it_ended(exit_code)
        if exit_code == _EXIT_SETTINGS:
            words = logs.last_words(log, log_before)
            raise GaveUp(f"{name} cannot run: {words} (log: {log})")
        now = time.monotonic()
        if len(self._deaths) == _DEATHS_ALLOWED - 1 and now - self._deaths[0] < _WINDOW_SECONDS:
            raise GaveUp(
                f"{name} {ending} for the {_DEATHS_ALLOWED}th time within a minute; see {log}."
            )
        if self._deaths and now - self._deaths[-1] >= _WINDOW_SECONDS:
            self._deaths.clear()
        pause = min(_FIRST_PAUSE * 3.0 ** len(self._deaths), _LONGEST_PAUSE)
        self._deaths.append(now)
        self._terminal.say(f"{name} {ending}, starting it again")
        return pause

    def _still_busy(self, process: Process, log_before: int) -> bool:
        words = logs.tail(self.program.log, log_before)
        if not any(mark in words for mark in self.program.busy_marks):
            return False
        if self._busy_since is None:
            self._busy_since = process.started_at
        return time.monotonic() - self._busy_since < _BUSY_SECONDS

    async def _until_ready(self, process: Process) -> None:
        again = bool(self._deaths)
        while not await asyncio.to_thread(self.program.ready):
            if time.monotonic() - process.started_at > _READY_SECONDS:
                self._terminal.say(
                    f"{self.program.name} has not answered for {_READY_SECONDS:.0f} s; "
                    f"see {self.program.log}"
                )
                return
            await asyncio.sleep(_PROBE_SECONDS)
        self.ready.set()
        seconds = time.monotonic() - process.started_at
        self._terminal.say(f"{self.program.name} is {'back' if again else 'up'} ({seconds:.1f} s)")
