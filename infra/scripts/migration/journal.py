"""The journal of steps: one JSON object a line, on disk before the next step begins.

What a line means is decided here alone: `state_of` turns a journal into where to go on.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

Entry = dict[str, Any]

# Phases of a migration. "none": never begun.
NONE, FORWARD, MIGRATED, BACK, ROLLED_BACK = "none", "forward", "migrated", "back", "rolled back"


class Locked(Exception):
    """Another run holds the state directory."""


@dataclass
class State:
    """Where the last migration stands."""

    phase: str = NONE
    done: set[str] = field(default_factory=set)
    begun: set[str] = field(default_factory=set)
    facts: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    automatic: bool = False


def state_of(entries: Iterable[Entry]) -> State:
    """The state after the last entry; each migration that begins starts from nothing."""
    state = State()
    for entry in entries:
        step, event = entry["step"], entry["event"]
        if (step, event) == ("migration", "begun"):
            state = State(phase=FORWARD)
        elif (step, event) == ("migration", "done"):
            state.phase = MIGRATED
        elif (step, event) == ("rollback", "begun"):
            state.phase = BACK
            state.reason = entry.get("reason", "")
            state.automatic = bool(entry.get("automatic"))
        elif (step, event) == ("rollback", "done"):
            state.phase = ROLLED_BACK
        elif event == "begun":
            state.begun.add(step)
        elif event == "done":
            state.done.add(step)
            state.facts.update(entry.get("facts", {}))
    return state


class Journal:
    """`journal.jsonl` in the state directory."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.path = folder / "journal.jsonl"

    def entries(self) -> list[Entry]:
        """All of them; a line that a dying process did not finish is none."""
        if not self.path.exists():
            return []
        found = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                found.append(json.loads(line))
            except ValueError:
                continue
        return found

    def state(self) -> State:
        return state_of(self.entries())

    def write(self, step: str, event: str, **details: Any) -> None:
        # UTC by the name that Python 3.9 has for it.
        at = datetime.now(timezone.utc).isoformat(timespec="milliseconds")  # noqa: UP017
        line = json.dumps({"at": at, "step": step, "event": event, **details}, ensure_ascii=False)
        with self.path.open("ab") as file:
            # After a torn line a new one begins.
            torn = file.tell() > 0 and not self._ends_a_line()
            file.write((("\n" if torn else "") + line + "\n").encode())
            file.flush()
            os.fsync(file.fileno())

    def _ends_a_line(self) -> bool:
        with self.path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"

    @contextmanager
    def held(self) -> Iterator[None]:
        """One run at a time; the kernel gives the lock back however the process ends."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "lock").open("a") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Locked from None
            yield
