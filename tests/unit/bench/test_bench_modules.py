"""Each bench can be started: what it imports is there. Nothing else runs them between releases."""

from __future__ import annotations

import os
import pkgutil
import subprocess
import sys

import bench
from explanation_service.standalone.program import python_environment

PROGRAM = """
import importlib, sys
for name in sys.argv[1:]:
    importlib.import_module(f"bench.{name}")
"""


def test_all_can_be_imported() -> None:
    # In a process of its own: some set the number of threads before they import torch.
    names = [module.name for module in pkgutil.iter_modules(bench.__path__)]
    assert {"explanations", "rebuild", "throughput"} <= set(names)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names],
        env={**os.environ, **python_environment()},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
