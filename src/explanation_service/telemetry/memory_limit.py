"""How much memory this process may have before the kernel ends it."""

from __future__ import annotations

import math
from pathlib import Path

# Version 1 says "no limit" as the largest multiple of a page, some 9.2e18.
_UNLIMITED = 1 << 62


def memory_limit_bytes(root: Path = Path("/sys/fs/cgroup")) -> float:
    """The limit of the cgroup in bytes, infinity without one. Version 2 first, then version 1."""
    for path in (root / "memory.max", root / "memory" / "memory.limit_in_bytes"):
        try:
            limit = int(path.read_text())
        except (OSError, ValueError):
            continue
        return float(limit) if limit < _UNLIMITED else math.inf
    return math.inf
