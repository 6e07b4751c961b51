"""The log files of the children."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

# Logs of earlier starts that are kept, and how much of a log is looked at, in bytes.
_KEPT = 3
_TAIL = 8_192


def rotate(log: Path) -> None:
    """NAME.log becomes NAME.log.1, that one NAME.log.2, and the oldest goes."""
    numbered = [log, *(log.with_name(f"{log.name}.{number}") for number in range(1, _KEPT + 1))]
    for newer, older in reversed(list(pairwise(numbered))):
        if newer.exists():
            newer.replace(older)


def size(log: Path) -> int:
    """In bytes; 0 for a log that is not there."""
    return log.stat().st_size if log.exists() else 0


def tail(log: Path, since: int = 0) -> str:
    """The end of what was written after the first `since` bytes."""
    if not log.exists():
        return ""
    with log.open("rb") as file:
        file.seek(max(since, size(log) - _TAIL))
        return file.read().decode(errors="replace")


def last_words(log: Path, since: int = 0) -> str:
    """The last line; of a structured one its `why`, else its `event`."""
    lines = [line for line in tail(log, since).splitlines() if line.strip()]
    if not lines:
        return ""
    try:
        record = json.loads(lines[-1])
        return str(record.get("why") or record["event"])
    except (ValueError, KeyError, AttributeError):
        return lines[-1].strip()
