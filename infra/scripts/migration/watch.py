"""Looks at the pair for a time and says why it may not stay, if so."""

from __future__ import annotations

import time

from infra.scripts.migration.canary import Canary
from infra.scripts.migration.compose import API
from infra.scripts.migration.criteria import CanaryClock, ErrorRate, Probes, Stall
from infra.scripts.migration.options import Options
from infra.scripts.migration.sides import Sides

# Seconds.
_TICK = 0.5
_READ_EVERY = 2.0
_TELL_EVERY = 60.0


class Watch:
    """The three criteria over the pair, each fed with what it needs."""

    def __init__(self, sides: Sides, options: Options, baseline: float) -> None:
        self._sides = sides
        self._options = options
        self._api = sides.service(API)
        self._probes = Probes(baseline, options.tolerance)
        self._answers = ErrorRate(baseline, options.tolerance, "answers of the API")
        self._stall = Stall(options.stall_seconds)
        self._canary = Canary(self._api)
        self._clock = CanaryClock(options.canary_seconds)
        self._canary_fault: str | None = None
        self._write_since: float | None = None
        self._next_canary = 0.0
        self._next_reading = 0.0
        self.canaries = 0

    def run(self, seconds: float) -> str | None:
        """A sentence as soon as a criterion is met; None after `seconds`, and a test template that
        was found at least."""
        start = time.monotonic()
        told, number = start, 0
        while True:
            now = time.monotonic()
            self._probes.observe(now, self._api.probe(number))
            number += 1
            if now >= self._next_reading:
                self._read(now)
                self._next_reading = now + _READ_EVERY
            self._step_canary(now)
            if fault := self.fault():
                return fault
            if now - start >= seconds and self.canaries and not self._canary.out:
                return None
            if now - told >= _TELL_EVERY:
                self._sides.console.say(f"  {self.figures()}")
                told = now
            self._sides.console.show(f"  {max(0.0, start + seconds - now):.0f} s to watch")
            time.sleep(_TICK)

    def fault(self) -> str | None:
        return (
            self._probes.fault()
            or self._answers.fault()
            or self._stall.fault()
            or self._canary_fault
        )

    def figures(self) -> str:
        requests, errors = self._answers.window()
        return (
            f"{requests:.0f} requests in the last minute, {errors:.0f} errors; "
            f"{self._stall.waiting} events wait; {self.canaries} test templates found"
        )

    def _read(self, now: float) -> None:
        counters = self._api.counters()
        if counters is not None:
            self._answers.observe(now, counters.requests, counters.errors)
        self._stall.observe(now, self._api.events_waiting(), self._sides.processed())

    def _step_canary(self, now: float) -> None:
        if self._canary.out:
            if self._canary.found():
                self._end_canary(now)
            elif self._clock.late(now, self._stall.processed, self._stall.moved_at):
                self._canary_fault = (
                    f"a test template was not found {self._options.canary_seconds:.0f} s after it "
                    "was written: embeddings do not reach Qdrant"
                )
        elif now >= self._next_canary:
            self._begin_canary(now)

    def _begin_canary(self, now: float) -> None:
        self._write_since = now if self._write_since is None else self._write_since
        self._clock.written(now, self._stall.waiting, self._stall.processed)
        fault = self._canary.write()
        if fault is None:
            self._write_since = None
        elif now - self._write_since >= self._options.canary_seconds:
            self._canary_fault = f"a test template could not be written: {fault}"

    def _end_canary(self, now: float) -> None:
        self._canary.remove()
        self.canaries += 1
        self._next_canary = now + self._options.canary_every
