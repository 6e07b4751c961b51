"""Formats the work tree: BUILD and .bzl files with buildifier, Python with ruff.

format BUILDIFIER FILES_JSON PYTHON_FOLDER...
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from ruff import find_ruff_bin  # type: ignore[import-untyped]

from tools.lint.buildifier import fix, read_files


def main() -> int:
    program, files_json = (Path(argument).absolute() for argument in sys.argv[1:3])
    workspace = Path(os.environ["BUILD_WORKSPACE_DIRECTORY"])
    build_files = fix(program, read_files(files_json), workspace)
    ruff = [find_ruff_bin(), "format", *sys.argv[3:]]
    python = subprocess.run(ruff, cwd=workspace, check=False).returncode
    return build_files or python


if __name__ == "__main__":
    sys.exit(main())
