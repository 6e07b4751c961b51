from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys, threading
import explanation_service.indexing.heap as heap
heap.limit_heaps = lambda: print(threading.active_count(), "numpy" in sys.modules)
import explanation_service.indexing.rebuild.main
"""


def test_the_heaps_are_limited_before_there_are_threads() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, check=True, timeout=120, text=True
    )
    assert done.stdout == "1 False\n"
