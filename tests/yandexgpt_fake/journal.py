"""Who asked what and when, and how many at a time."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Any

_MOST_ENTRIES = 20_000


@dataclass
class Entry:
    """One request. `at` and `ended_at` are Unix time; `running` counts generations at its start,
    itself included; `outcome`: answered, failed, client_gone."""

    path: str
    headers: dict[str, str]
    body: Any
    at: float = field(default_factory=time.time)
    behaviour: str = ""
    status: int = 0
    running: int = 0
    ended_at: float | None = None
    outcome: str = "running"


class Journal:
    """`generations` also counts those that were turned away for the quota."""

    def __init__(self) -> None:
        self.clear()
        self.running = 0

    def clear(self) -> None:
        self.entries: deque[Entry] = deque(maxlen=_MOST_ENTRIES)
        self.most_running = 0
        self.turned_away = 0

    def begin(self, entry: Entry) -> None:
        """A generation starts."""
        self.running += 1
        entry.running = self.running
        self.most_running = max(self.most_running, self.running)

    def end(self) -> None:
        """It is over, for the quota."""
        self.running -= 1

    def as_json(self) -> dict[str, Any]:
        return {
            "running": self.running,
            "most_running": self.most_running,
            "turned_away": self.turned_away,
            "requests": [asdict(entry) for entry in self.entries],
        }
