"""How many threads the math libraries may use, and how they share the cores with other processes;
to be settled before torch is imported."""

from __future__ import annotations

import contextlib
import math
import os
from pathlib import Path

# Read by OpenMP, MKL and OpenBLAS once, when their shared objects are loaded. Left alone they count
# the host's cores: with 2 CPUs allowed on a large host this very model served 1.82 requests a
# second instead of 11.03 (text-embeddings-inference 170).
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

# Of a worker with WORKER_ROLE=index: a quarter of a core for which another process competes.
INDEX_NICENESS = 5


def cgroup_cpu_limit(root: Path = Path("/sys/fs/cgroup")) -> float | None:
    """CPUs allowed by the cgroup's quota, or None without one. Version 2 first, then version 1."""
    try:
        quota, period = (root / "cpu.max").read_text().split()
        return None if quota == "max" else int(quota) / int(period)
    except (OSError, ValueError, ZeroDivisionError):
        pass
    try:
        quota = (root / "cpu" / "cpu.cfs_quota_us").read_text()
        period = (root / "cpu" / "cpu.cfs_period_us").read_text()
        return int(quota) / int(period) if int(quota) > 0 else None
    except (OSError, ValueError, ZeroDivisionError):
        return None


def usable_cpus(root: Path = Path("/sys/fs/cgroup")) -> int:
    """CPUs that this process may use, at least 1: the lower of its affinity and its quota."""
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
    cpus = affinity or os.cpu_count() or 1
    limit = cgroup_cpu_limit(root)
    return cpus if limit is None else max(1, min(cpus, math.floor(limit)))


def limit_math_threads() -> int:
    """Set the thread variables that the operator left unset; return the number of threads.

    An OMP_NUM_THREADS that is set wins: whoever set it knows more than the cgroup does.
    """
    given = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(given) if given.isdigit() and int(given) > 0 else _wanted_threads()
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, str(threads))
    # The tokenizer's own thread pool would compete with the encode thread for the same cores, and
    # warns about forks that never happen here.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    return threads


def _wanted_threads() -> int:
    # A query has some 250 parallel regions of a few microseconds, and each waits for its slowest
    # thread: beside an index worker, on a machine with other load, one thread took 58 to 83 ms
    # (median) and two took 290 to 305.
    # More queries want more replicas, not more threads.
    return 1 if os.environ.get("WORKER_ROLE", "").lower() == "query" else usable_cpus()


def step_back() -> None:
    """Let other processes of this machine (or container) go first, queries above all.

    To be called before there are other threads: Linux keeps the priority by thread, and new ones
    take it from the thread that starts them. More would starve leases and heartbeats on a busy
    machine.
    """
    with contextlib.suppress(OSError):
        os.nice(INDEX_NICENESS)
