"""Runs `python -m MODULE ARGUMENTS...`, as a program that Bazel can start.

Relative paths mean the workspace under `bazel run`, the runfiles under `bazel test`.
"""

from __future__ import annotations

import os
import runpy
import sys


def main() -> None:
    if workspace := os.environ.get("BUILD_WORKSPACE_DIRECTORY"):
        os.chdir(workspace)
    module, sys.argv = sys.argv[1], sys.argv[1:]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
