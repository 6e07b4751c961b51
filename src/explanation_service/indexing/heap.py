"""Keeps the process from holding memory that it no longer uses."""

from __future__ import annotations

import contextlib
import ctypes

# glibc gives each thread a heap of its own, and each keeps the memory of its largest text: with the
# six threads that tokenise in turns and strings of up to 100,000 characters a process of 300 MB
# grew to 443 and went on, with two heaps it stayed at 350 (malloc.h: M_ARENA_MAX is -8).
MOST_HEAPS = 2
_M_ARENA_MAX = -8


def limit_heaps() -> None:
    """As MALLOC_ARENA_MAX would; before there are other threads. Nothing where libc is another."""
    with contextlib.suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, MOST_HEAPS)
