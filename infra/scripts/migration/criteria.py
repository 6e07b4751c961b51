"""When the pair does worse than the monolith did: figures in, a sentence out.

Times are seconds of a monotonic clock.
"""

from __future__ import annotations

from collections import deque

# Below so many requests one error would be more than 1 %.
ENOUGH_REQUESTS = 100
WINDOW_SECONDS = 60.0
# Probes come twice a second: an API that is gone is noticed in seconds, not after ENOUGH_REQUESTS.
FAILED_IN_A_ROW = 10


class ErrorRate:
    """Share of errors over the last minute, from counters that only grow."""

    def __init__(self, baseline: float, tolerance: float, of_what: str) -> None:
        self._baseline = baseline
        self._tolerance = tolerance
        self._of_what = of_what
        self._last: tuple[float, float] | None = None
        self._total = (0.0, 0.0)
        self._seen: deque[tuple[float, float, float]] = deque()

    def observe(self, now: float, requests: float, errors: float) -> None:
        """Counters as read; lower than before, the process has started anew at 0."""
        if self._last is not None:
            before = (0.0, 0.0) if requests < self._last[0] else self._last
            more, wrong = requests - before[0], max(0.0, errors - before[1])
            self._total = (self._total[0] + more, self._total[1] + wrong)
        self._last = (requests, errors)
        self._seen.append((now, *self._total))
        while now - self._seen[0][0] > WINDOW_SECONDS:
            self._seen.popleft()

    def window(self) -> tuple[float, float]:
        """Requests and errors of the last minute."""
        if not self._seen:
            return 0.0, 0.0
        first, last = self._seen[0], self._seen[-1]
        return last[1] - first[1], last[2] - first[2]

    def fault(self) -> str | None:
        requests, errors = self.window()
        if requests < ENOUGH_REQUESTS or errors / requests <= self._baseline + self._tolerance:
            return None
        return (
            f"{errors / requests:.1%} of {requests:.0f} {self._of_what} in a minute were errors; "
            f"the monolith had {self._baseline:.1%}, and {self._tolerance:.1%} more is allowed"
        )


class Probes:
    """The script's own requests: an API that does not answer counts nothing itself."""

    def __init__(self, baseline: float, tolerance: float) -> None:
        self._rate = ErrorRate(baseline, tolerance, "requests of this script")
        self._requests = self._errors = self._in_a_row = 0
        self._last = ""
        self._rate.observe(0.0, 0, 0)

    def observe(self, now: float, fault: str | None) -> None:
        self._requests += 1
        self._errors += fault is not None
        self._in_a_row = 0 if fault is None else self._in_a_row + 1
        self._last = fault or self._last
        self._rate.observe(now, self._requests, self._errors)

    def fault(self) -> str | None:
        if self._in_a_row >= FAILED_IN_A_ROW:
            return (
                f"{self._in_a_row} requests of this script in a row failed; the last: {self._last}"
            )
        return self._rate.fault()


class Stall:
    """No event finished for so many seconds while there were some to finish."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._since: float | None = None
        self._processed: float | None = None
        self._waiting = 0
        self._now = 0.0
        self.moved_at = float("-inf")

    def observe(self, now: float, waiting: int | None, processed: float | None) -> None:
        """`waiting`: events without an acknowledgement; `processed`: finished by the workers so
        far. None: could not be read, which is neither lag nor progress."""
        self._now = now
        progress = (
            processed is not None and self._processed is not None and processed > self._processed
        )
        if progress:
            self.moved_at = now
        if processed is not None:
            self._processed = processed
        if waiting is not None:
            self._waiting = waiting
        if not self._waiting:
            self._since = None
        elif progress or self._since is None:
            self._since = now

    @property
    def waiting(self) -> int:
        return self._waiting

    @property
    def processed(self) -> float:
        return self._processed or 0.0

    def fault(self) -> str | None:
        if self._since is None or self._now - self._since < self._seconds:
            return None
        return (
            f"{self._waiting} events wait and none was finished for {self._now - self._since:.0f} s"
        )


class CanaryClock:
    """How long a test template may take from its write to being found."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._written = 0.0
        self._turn = 0.0

    def written(self, now: float, waiting: int, processed: float) -> None:
        """Behind a backlog its turn comes when that many events are finished, and not before."""
        self._written = now
        self._turn = processed + waiting

    def late(self, now: float, processed: float, moved_at: float) -> bool:
        """`moved_at`: when the workers were last seen to have finished something."""
        if now - self._written < self._seconds:
            return False
        behind_others = processed < self._turn and now - moved_at < self._seconds
        return not behind_others
