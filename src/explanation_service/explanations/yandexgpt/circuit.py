"""A circuit breaker: after several failures in a row nobody waits for a service that is unwell.

One per process and not shared: it has to work while Redis is away, a replica whose own network is
cut must not close the others off, and finding out costs each of them only FAILURES calls.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from enum import Enum

from explanation_service.telemetry.metrics import explain_circuit_state

# Failures in a row that open it.
FAILURES = 5
# Seconds until one call is let through again; doubled each time that this one fails too.
SHORTEST_PAUSE, LONGEST_PAUSE = 5.0, 60.0


class State(Enum):
    """The values are those of explain_circuit_state."""

    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


class Permit:
    """One call that was let through; one of the three methods is to be called, once."""

    def __init__(self, settle: Callable[[bool | None], None]) -> None:
        self._settle = settle

    def succeeded(self) -> None:
        """The service is well."""
        self._settle(True)

    def failed(self) -> None:
        """The service is unwell."""
        self._settle(False)

    def abandoned(self) -> None:
        """The call ended without telling either."""
        self._settle(None)


class Circuit:
    """Closed: all calls pass. Open: none does. Half open: one does, and its end decides."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._pause = SHORTEST_PAUSE
        self._reopens_at = 0.0
        self._probing = False
        # Counts changes of state: how a call ends that began before one says nothing any more.
        self._epoch = 0
        self.state = State.CLOSED
        self._enter(State.CLOSED)

    def admit(self) -> Permit | None:
        """A permit, or None when the call shall not be made."""
        if self.state is State.OPEN and self._clock() >= self._reopens_at:
            self._enter(State.HALF_OPEN)
        if self.state is State.OPEN or (self.state is State.HALF_OPEN and self._probing):
            return None
        self._probing = self.state is State.HALF_OPEN
        epoch = self._epoch
        return Permit(lambda well: self._settle(epoch, well))

    @property
    def blocked(self) -> bool:
        """Whether a call would be turned away now."""
        if self.state is State.OPEN:
            return self._clock() < self._reopens_at
        return self.state is State.HALF_OPEN and self._probing

    def _settle(self, epoch: int, well: bool | None) -> None:
        if epoch != self._epoch:
            return
        self._probing = False
        if well:
            self._failures = 0
            if self.state is State.HALF_OPEN:
                self._pause = SHORTEST_PAUSE
                self._enter(State.CLOSED)
        elif well is False:
            self._failures += 1
            if self.state is State.HALF_OPEN:
                self._pause = min(2 * self._pause, LONGEST_PAUSE)
                self._open()
            elif self._failures >= FAILURES:
                self._open()

    def _open(self) -> None:
        self._failures = 0
        self._reopens_at = self._clock() + self._pause
        self._enter(State.OPEN)

    def _enter(self, state: State) -> None:
        self.state = state
        self._epoch += 1
        explain_circuit_state.set(state.value)
